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

# A row of an import is known for ever by what the other system calls its lot.
IMPORTED_ROWS = """
CREATE TABLE imported_rows (
    import_id uuid NOT NULL,
    reference text NOT NULL,
    line bigint NOT NULL,
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    lot_number integer NOT NULL,
    asset asset NOT NULL,
    amount bigint NOT NULL,
    earned_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT imported_rows_pkey PRIMARY KEY (import_id, reference),
    CONSTRAINT imported_rows_have_a_line CHECK (line > 0),
    CONSTRAINT imported_rows_bring_something CHECK (amount > 0)
);
CREATE TRIGGER imported_rows_are_immutable BEFORE UPDATE OR DELETE ON imported_rows
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""

IMPORTS = """
CREATE TABLE imports (
    import_id uuid NOT NULL,
    acknowledged_line bigint NOT NULL,
    started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT imports_pkey PRIMARY KEY (import_id)
) WITH (fillfactor = 50);
CREATE TABLE rejected_rows (
    import_id uuid NOT NULL,
    line bigint NOT NULL,
    reference text NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    CONSTRAINT rejected_rows_pkey PRIMARY KEY (import_id, line)
)
"""


def upgrade() -> None:
    for script in (EXPIRY_WARNINGS, IMPORTED_ROWS, IMPORTS):
        op.execute(script)
