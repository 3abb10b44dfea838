"""Tests of what the repository promises about itself: layout, walls, generated code, documents."""
