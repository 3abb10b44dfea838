"""Refunds by part: several of a checkout, numbered, each with what it came to."""

from alembic import op

revision = "0002"
down_revision = "0001"

# The defaults are what a release that refunds only wholly leaves out. Of what happened, no two
# refunds of a checkout have one number, so none was computed from what another has changed; the
# next one waits for the one under way, because it would have its number.
COLUMNS = """
ALTER TABLE refunds
    ADD COLUMN ordinal smallint NOT NULL DEFAULT 1
        CONSTRAINT refunds_ordinal CHECK (ordinal > 0),
    ADD COLUMN draft bytea NOT NULL DEFAULT '',
    ADD COLUMN amount_minor bigint CONSTRAINT refunds_amount CHECK (amount_minor >= money_minor),
    ADD COLUMN whole boolean NOT NULL DEFAULT true
"""
INDEXES = (
    "DROP INDEX refunds_one_each",
    "CREATE UNIQUE INDEX refunds_numbered ON refunds (checkout_id, ordinal) WHERE state <> 3",
    "CREATE UNIQUE INDEX refunds_whole_once ON refunds (checkout_id) WHERE state = 2 AND whole",
)


def upgrade() -> None:
    for statement in (COLUMNS, *INDEXES):
        op.execute(statement)
