"""Checkouts that are opened first and committed later: how far they are, what they hold."""

from alembic import op

revision = "0003"
down_revision = "0002"

# The defaults are what a release that knows one call only leaves out, and cost no rewrite. Nothing
# here is indexed: commit, cancel and deadline find the row by its id, and recovery finds what waits
# in `unfinished`, where it comes due at its deadline.
COLUMNS = """
ALTER TABLE checkouts
    ADD COLUMN phase smallint NOT NULL DEFAULT 0
        CONSTRAINT checkouts_phase CHECK (phase BETWEEN 0 AND 3),
    ADD COLUMN commit_by timestamptz,
    ADD COLUMN facts bytea NOT NULL DEFAULT '',
    ADD COLUMN authorize_request bytea NOT NULL DEFAULT '',
    ADD COLUMN held bytea,
    ADD COLUMN points_held bigint NOT NULL DEFAULT 0
        CONSTRAINT checkouts_points_held CHECK (points_held >= 0),
    ADD COLUMN stored_value_held_minor bigint NOT NULL DEFAULT 0
        CONSTRAINT checkouts_stored_value_held CHECK (stored_value_held_minor >= 0),
    ADD COLUMN commit_request_id text,
    ADD COLUMN commit_fingerprint bytea
"""
# What is open is whole, or waits for what its commit adds. Only what was committed is posted.
RULES = """
ALTER TABLE checkouts
    DROP CONSTRAINT checkouts_open_is_whole,
    ADD CONSTRAINT checkouts_open_is_whole CHECK (
        state = 3 OR (
            member_id IS NOT NULL AND (phase IN (1, 2)) = (octet_length(post_request) = 0)
        )
    ) NOT VALID,
    ADD CONSTRAINT checkouts_opened_first CHECK (
        (phase = 0) = (commit_by IS NULL)
        AND (state <> 2 OR phase IN (0, 3))
        AND (held IS NOT NULL) = (phase >= 2)
        AND (commit_request_id IS NOT NULL) = (phase = 3)
        AND (commit_fingerprint IS NOT NULL) = (phase = 3)
    ) NOT VALID,
    ADD CONSTRAINT checkouts_spends_what_is_held CHECK (
        phase < 3 OR (
            points_redeemed <= points_held AND stored_value_minor <= stored_value_held_minor
        )
    ) NOT VALID
"""
VALIDATE = (
    "ALTER TABLE checkouts VALIDATE CONSTRAINT checkouts_open_is_whole",
    "ALTER TABLE checkouts VALIDATE CONSTRAINT checkouts_opened_first",
    "ALTER TABLE checkouts VALIDATE CONSTRAINT checkouts_spends_what_is_held",
)
# A commit that was taken is carried out as it was taken, and nothing goes back to waiting.
FORWARD = """
CREATE TRIGGER checkouts_commit_is_final BEFORE UPDATE ON checkouts FOR EACH ROW
WHEN (
    NEW.phase < OLD.phase
    OR (OLD.phase = 3 AND NEW.post_request IS DISTINCT FROM OLD.post_request)
) EXECUTE FUNCTION refuse_change()
"""
QUEUE = "ALTER TABLE unfinished ADD COLUMN waiting boolean NOT NULL DEFAULT false"


def upgrade() -> None:
    for statement in (COLUMNS, RULES, *VALIDATE, FORWARD, QUEUE):
        op.execute(statement)
