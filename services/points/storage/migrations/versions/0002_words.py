"""Kinds of entries that come with holds, movements and imports.

A value added to a type can't be used in the transaction that adds it, so they come before the
tables that do.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

ENTRY_KINDS = (
    "CAPTURE",
    "MATURING",
    "TRANSFER",
    "ADJUSTMENT",
    "WITHDRAWAL",
    "TOP_UP_REFUND",
    "IMPORT",
)


def upgrade() -> None:
    for kind in ENTRY_KINDS:
        op.execute(f"ALTER TYPE entry_kind ADD VALUE IF NOT EXISTS '{kind}'")
