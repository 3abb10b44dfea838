"""Numbered Alembic scripts; each may run while the former release still serves."""
