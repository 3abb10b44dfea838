"""Expiry warnings that were given; opening balances brought in from other systems."""

from alembic import op

revision = "0008"
down_revision = "0006"

# A warning is given once for each last day and threshold, whoever runs the job and however often.
# A warning moves nothing and so has no entry: its row is kept, for it explains the event's version.
EXPIRY_WARNINGS = """
CREATE TABLE expiry_warnings (
    member_id uuid NOT NULL,
    asset asset NOT NULL,
    last_day date NOT NULL,
    days smallint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT expiry_warnings_pkey PRIMARY KEY (member_id, asset, last_day, days),
    CONSTRAINT expiry_warnings_cash_never_expires CHECK (asset <> 'CASH'),
    CONSTRAINT expiry_warnings_days_positive CHECK (days > 0)
)
"""


def upgrade() -> None:
    op.execute(EXPIRY_WARNINGS)
