"""Numbered Alembic scripts of the gateway's database."""
