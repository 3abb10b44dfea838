"""Members at rest: encrypted field by field, found by blind index, loaded and saved in sets."""
