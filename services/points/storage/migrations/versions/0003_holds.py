"""Holds: value set aside, which parts of which lots it is, and what members and lots know of it."""

from alembic import op

revision = "0003"
down_revision = "0002"

# A hold id is taken for ever, by an authorisation or by a fence that came before it. Once it has
# ended it never changes.
HOLDS = """
CREATE TYPE hold_state AS ENUM ('OPEN', 'CAPTURED', 'RELEASED', 'EXPIRED');
CREATE TABLE holds (
    member_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    state hold_state NOT NULL,
    merchant_id uuid,
    checkout_id uuid,
    currency text NOT NULL,
    points bigint NOT NULL,
    cash_minor bigint NOT NULL,
    bonus_minor bigint NOT NULL,
    authorized_at timestamptz,
    timeout_at timestamptz,
    resolved_at timestamptz,
    version bigint,
    resolved_version bigint,
    points_captured bigint NOT NULL,
    cash_captured_minor bigint NOT NULL,
    bonus_captured_minor bigint NOT NULL,
    CONSTRAINT holds_pkey PRIMARY KEY (member_id, hold_id),
    CONSTRAINT holds_unique_for_ever UNIQUE (hold_id),
    CONSTRAINT holds_nothing_negative CHECK (points >= 0 AND cash_minor >= 0 AND bonus_minor >= 0),
    CONSTRAINT holds_set_something_aside CHECK (
        (authorized_at IS NULL) = (points + cash_minor + bonus_minor = 0)
    ),
    CONSTRAINT holds_authorised_or_fenced CHECK (
        CASE WHEN authorized_at IS NULL
             THEN state = 'RELEASED' AND checkout_id IS NULL AND timeout_at IS NULL
             ELSE (checkout_id IS NULL) <> (timeout_at IS NULL) END
    ),
    CONSTRAINT holds_open_or_resolved CHECK ((state = 'OPEN') = (resolved_at IS NULL)),
    CONSTRAINT holds_told CHECK (
        (authorized_at IS NULL) = (version IS NULL)
        AND (version IS NULL OR state = 'OPEN') = (resolved_version IS NULL)
    ),
    CONSTRAINT holds_captured_within CHECK (
        points_captured BETWEEN 0 AND points
        AND cash_captured_minor BETWEEN 0 AND cash_minor
        AND bonus_captured_minor BETWEEN 0 AND bonus_minor
        AND (state = 'CAPTURED'
             OR points_captured + cash_captured_minor + bonus_captured_minor = 0)
    ),
    CONSTRAINT holds_end_by_their_timeout CHECK (
        timeout_at IS NULL
        OR CASE state WHEN 'OPEN' THEN true WHEN 'EXPIRED' THEN resolved_at = timeout_at
                      ELSE resolved_at < timeout_at END
    ),
    CONSTRAINT holds_of_checkouts_never_expire CHECK (
        state <> 'EXPIRED' OR timeout_at IS NOT NULL
    )
);
CREATE INDEX holds_open ON holds (member_id) WHERE state = 'OPEN';
CREATE UNIQUE INDEX holds_open_checkout ON holds (checkout_id)
    WHERE state = 'OPEN' AND checkout_id IS NOT NULL;
CREATE TRIGGER holds_resolve_once BEFORE UPDATE ON holds
    FOR EACH ROW WHEN (OLD.state <> 'OPEN') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER holds_are_kept BEFORE DELETE ON holds
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# The pins of open holds only: they go when their hold ends.
HOLD_LOTS = """
CREATE TABLE hold_lots (
    member_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    lot_number integer NOT NULL,
    amount bigint NOT NULL,
    CONSTRAINT hold_lots_pkey PRIMARY KEY (member_id, hold_id, lot_number),
    CONSTRAINT hold_lots_pin_something CHECK (amount > 0)
)
"""

# Existing rows hold nothing, so the new constraints need no look at them.
MEMBERS = """
ALTER TABLE members
    ADD COLUMN points_held bigint NOT NULL DEFAULT 0,
    ADD COLUMN cash_held_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN bonus_held_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN open_holds integer NOT NULL DEFAULT 0,
    ADD COLUMN next_hold_timeout timestamptz,
    ADD CONSTRAINT members_held_within_balance CHECK (
        points_held BETWEEN 0 AND points
        AND cash_held_minor BETWEEN 0 AND cash_minor
        AND bonus_held_minor BETWEEN 0 AND bonus_minor
    ) NOT VALID,
    ADD CONSTRAINT members_held_by_open_holds CHECK (
        open_holds >= 0
        AND (open_holds > 0) = (points_held + cash_held_minor + bonus_held_minor > 0)
        AND (next_hold_timeout IS NULL OR open_holds > 0)
    ) NOT VALID
"""

LOTS = """
ALTER TABLE lots
    ADD COLUMN held bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT lots_held_within_remaining CHECK (held BETWEEN 0 AND remaining) NOT VALID
"""

# A capture is kept as a checkout under its hold's id. What was held after a posting is NULL where
# nothing was: nearly always, and then it takes no space.
CHECKOUTS = """
ALTER TABLE checkouts
    ADD COLUMN kind entry_kind NOT NULL DEFAULT 'CHECKOUT',
    ADD COLUMN points_held_after bigint,
    ADD COLUMN cash_held_after_minor bigint,
    ADD COLUMN bonus_held_after_minor bigint,
    ADD CONSTRAINT checkouts_kind CHECK (kind IN ('CHECKOUT', 'CAPTURE')) NOT VALID
"""


def upgrade() -> None:
    for script in (HOLDS, HOLD_LOTS, MEMBERS, LOTS, CHECKOUTS):
        op.execute(script)
