"""When a counter of a cap last changed, so that those of days long past can be deleted."""

from alembic import op

revision = "0009"
down_revision = "0008"

# The default serves a release that does not know the column: it is deployed beside this one.
# A block-range index leaves updates of the counters HOT, as a tree would not.
RULE_USAGE_AGES = """
ALTER TABLE rule_usage ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX rule_usage_changed ON rule_usage USING brin (changed_at)
"""


def upgrade() -> None:
    op.execute(RULE_USAGE_AGES)
