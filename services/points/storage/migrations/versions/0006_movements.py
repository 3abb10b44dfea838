"""Movements without a purchase: family groups, transfers, adjustments, withdrawals, refunds."""

from alembic import op

revision = "0006"
down_revision = "0005"

TYPES = """
CREATE TYPE tender_kind AS ENUM (
    'CASH_MONEY', 'BANK_CARD', 'WECHAT_PAY', 'ALIPAY', 'ROOM_CHARGE'
);
CREATE TYPE adjustment_state AS ENUM ('PENDING_APPROVAL', 'BOOKED', 'REJECTED');
"""

# A member is in one group at most: the member's id is the key.
GROUPS = """
CREATE TABLE transfer_groups (
    group_id uuid NOT NULL,
    revision bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT transfer_groups_pkey PRIMARY KEY (group_id),
    CONSTRAINT transfer_groups_revision_positive CHECK (revision > 0)
);
CREATE TABLE transfer_group_members (
    member_id uuid NOT NULL,
    group_id uuid NOT NULL,
    CONSTRAINT transfer_group_members_pkey PRIMARY KEY (member_id)
);
CREATE INDEX transfer_group_members_group ON transfer_group_members (group_id);
"""

TRANSFERS = """
CREATE TABLE transfers (
    transfer_id uuid NOT NULL,
    group_id uuid NOT NULL,
    from_member_id uuid NOT NULL,
    from_version bigint NOT NULL,
    to_member_id uuid NOT NULL,
    to_version bigint NOT NULL,
    transferred_at timestamptz NOT NULL,
    day date NOT NULL,
    points bigint NOT NULL,
    note text NOT NULL,
    CONSTRAINT transfers_pkey PRIMARY KEY (transfer_id),
    CONSTRAINT transfers_positive CHECK (points > 0),
    CONSTRAINT transfers_between_two CHECK (from_member_id <> to_member_id)
);
CREATE INDEX transfers_given ON transfers (from_member_id, day);
CREATE TRIGGER transfers_are_immutable BEFORE UPDATE OR DELETE ON transfers
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# A member's adjustments of the last day count towards the limit of one person.
ADJUSTMENTS = """
CREATE TABLE adjustments (
    adjustment_id uuid NOT NULL,
    member_id uuid NOT NULL,
    asset asset NOT NULL,
    amount bigint NOT NULL,
    reason_code text NOT NULL,
    reason_text text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    state adjustment_state NOT NULL,
    decided_by text,
    decided_at timestamptz,
    version bigint,
    CONSTRAINT adjustments_pkey PRIMARY KEY (adjustment_id),
    CONSTRAINT adjustments_move_something CHECK (amount <> 0),
    CONSTRAINT adjustments_have_a_reason CHECK (reason_code <> '' AND reason_text <> ''),
    CONSTRAINT adjustments_decided CHECK ((state = 'PENDING_APPROVAL') = (decided_at IS NULL)),
    CONSTRAINT adjustments_booked CHECK ((state = 'BOOKED') = (version IS NOT NULL)),
    CONSTRAINT adjustments_rejected_by_somebody CHECK (
        CASE state WHEN 'PENDING_APPROVAL' THEN decided_by IS NULL
                   WHEN 'REJECTED' THEN decided_by IS NOT NULL ELSE true END
    ),
    CONSTRAINT adjustments_approved_by_another CHECK (
        state <> 'BOOKED' OR upper(decided_by) IS DISTINCT FROM upper(requested_by)
    )
) WITH (fillfactor = 90);
CREATE INDEX adjustments_state ON adjustments (state, adjustment_id);
CREATE INDEX adjustments_member ON adjustments (member_id, requested_at);
CREATE FUNCTION keep_decided() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'PENDING_APPROVAL' THEN
        RAISE EXCEPTION '% is decided for good', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER adjustments_are_decided_once BEFORE UPDATE OR DELETE ON adjustments
    FOR EACH ROW EXECUTE FUNCTION keep_decided();
"""

WITHDRAWALS = """
CREATE TABLE withdrawals (
    withdrawal_id uuid NOT NULL,
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    currency text NOT NULL,
    tender tender_kind NOT NULL,
    merchant_id uuid NOT NULL,
    outlet_id uuid NOT NULL,
    terminal_id uuid NOT NULL,
    property_code text NOT NULL,
    cash_minor bigint NOT NULL,
    paid_out_minor bigint NOT NULL,
    gift_deducted_minor bigint NOT NULL,
    bonus_taken_back_minor bigint NOT NULL,
    CONSTRAINT withdrawals_pkey PRIMARY KEY (withdrawal_id),
    CONSTRAINT withdrawals_add_up CHECK (
        cash_minor > 0 AND cash_minor = paid_out_minor + gift_deducted_minor
        AND paid_out_minor >= 0 AND gift_deducted_minor >= 0 AND bonus_taken_back_minor >= 0
    )
);
CREATE TRIGGER withdrawals_are_immutable BEFORE UPDATE OR DELETE ON withdrawals
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

TOP_UPS = """
ALTER TABLE top_ups
    ADD COLUMN tender tender_kind,
    ADD COLUMN withdrawn_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN bonus_taken_back_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN gift_deducted_minor bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_at timestamptz,
    ADD CONSTRAINT top_ups_gone_back CHECK (
        withdrawn_minor BETWEEN 0 AND cash_minor
        AND bonus_taken_back_minor >= 0 AND gift_deducted_minor >= 0
        AND bonus_taken_back_minor + gift_deducted_minor <= bonus_minor
    ),
    ADD CONSTRAINT top_ups_refunded_untouched CHECK (refunded_at IS NULL OR withdrawn_minor = 0);
CREATE UNIQUE INDEX top_ups_lot ON top_ups (member_id, cash_lot_number);
"""

REFUNDS = """
CREATE TABLE top_up_refunds (
    refund_id uuid NOT NULL,
    top_up_id uuid NOT NULL,
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    refunded_at timestamptz NOT NULL,
    currency text NOT NULL,
    merchant_id uuid NOT NULL,
    outlet_id uuid NOT NULL,
    terminal_id uuid NOT NULL,
    property_code text NOT NULL,
    cash_minor bigint NOT NULL,
    bonus_minor bigint NOT NULL,
    CONSTRAINT top_up_refunds_pkey PRIMARY KEY (refund_id),
    CONSTRAINT top_up_refunds_once UNIQUE (top_up_id),
    CONSTRAINT top_up_refunds_positive CHECK (cash_minor > 0 AND bonus_minor >= 0)
);
CREATE TRIGGER top_up_refunds_are_immutable BEFORE UPDATE OR DELETE ON top_up_refunds
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    for script in (TYPES, GROUPS, TRANSFERS, ADJUSTMENTS, WITHDRAWALS, TOP_UPS, REFUNDS):
        op.execute(script)
