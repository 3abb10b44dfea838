"""The member database's history, oldest first, in `versions/`."""
