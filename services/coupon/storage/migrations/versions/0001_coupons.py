"""Members, campaigns with their counters, coupons, and what checkouts did with them.

Every rule that must hold whoever writes is here again: limits, states, and facts that never change.
"""

from alembic import op

from chassis.storage.tables import create_chassis_tables

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE members (
        member_id uuid NOT NULL,
        version bigint NOT NULL DEFAULT 0,
        changed_at timestamptz,
        CONSTRAINT members_pkey PRIMARY KEY (member_id),
        CONSTRAINT members_version_counts CHECK (version >= 0)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE campaigns (
        campaign_id uuid NOT NULL,
        code text NOT NULL,
        name_zh text NOT NULL,
        name_en text NOT NULL,
        currency text NOT NULL,
        funder text NOT NULL,
        benefit_kind text NOT NULL,
        amount_minor bigint NOT NULL,
        basis_points integer NOT NULL,
        ceiling_minor bigint NOT NULL,
        valid_from timestamptz NOT NULL,
        valid_until timestamptz NOT NULL,
        conditions jsonb NOT NULL,
        quantity bigint NOT NULL,
        per_member integer NOT NULL,
        created_at timestamptz NOT NULL,
        issued bigint NOT NULL DEFAULT 0,
        reserved bigint NOT NULL DEFAULT 0,
        redeemed bigint NOT NULL DEFAULT 0,
        CONSTRAINT campaigns_pkey PRIMARY KEY (campaign_id),
        CONSTRAINT campaigns_code_key UNIQUE (code),
        CONSTRAINT campaigns_funder_known CHECK (funder IN ('ISSUER', 'MERCHANT')),
        CONSTRAINT campaigns_benefit_known CHECK (
            (benefit_kind = 'AMOUNT_OFF' AND amount_minor > 0
                AND basis_points = 0 AND ceiling_minor = 0)
            OR (benefit_kind = 'PERCENT_OFF' AND amount_minor = 0
                AND basis_points BETWEEN 1 AND 10000 AND ceiling_minor >= 0)
        ),
        CONSTRAINT campaigns_window CHECK (valid_from < valid_until),
        CONSTRAINT campaigns_limits CHECK (quantity >= 0 AND per_member >= 0),
        CONSTRAINT campaigns_within_quantity CHECK (quantity = 0 OR issued <= quantity),
        CONSTRAINT campaigns_counters CHECK (
            reserved >= 0 AND redeemed >= 0 AND reserved + redeemed <= issued
        )
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE coupons (
        member_id uuid NOT NULL,
        coupon_id uuid NOT NULL,
        campaign_id uuid NOT NULL,
        ordinal integer NOT NULL,
        issued_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        state text NOT NULL,
        checkout_id uuid,
        CONSTRAINT coupons_pkey PRIMARY KEY (member_id, coupon_id),
        CONSTRAINT coupons_member_place UNIQUE (member_id, campaign_id, ordinal),
        CONSTRAINT coupons_ordinal_counts CHECK (ordinal > 0),
        CONSTRAINT coupons_state_known CHECK (
            state IN ('ISSUED', 'RESERVED', 'REDEEMED', 'EXPIRED', 'REVOKED')
        ),
        CONSTRAINT coupons_held_by_checkout CHECK (
            (state IN ('RESERVED', 'REDEEMED')) = (checkout_id IS NOT NULL)
        )
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE reservations (
        checkout_id uuid NOT NULL,
        member_id uuid NOT NULL,
        state text NOT NULL,
        discounts jsonb NOT NULL,
        currency text NOT NULL,
        place jsonb,
        reserved_at timestamptz,
        redeemed_at timestamptz,
        cancelled_at timestamptz,
        rolled_back_at timestamptz,
        expired_coupon_ids jsonb NOT NULL DEFAULT '[]',
        CONSTRAINT reservations_pkey PRIMARY KEY (checkout_id),
        CONSTRAINT reservations_state_known CHECK (
            state IN ('RESERVED', 'REDEEMED', 'CANCELLED', 'ROLLED_BACK')
        ),
        CONSTRAINT reservations_steps CHECK (
            (reserved_at IS NOT NULL OR state = 'CANCELLED')
            AND (redeemed_at IS NOT NULL) = (state IN ('REDEEMED', 'ROLLED_BACK'))
            AND (cancelled_at IS NOT NULL) = (state = 'CANCELLED')
            AND (rolled_back_at IS NOT NULL) = (state = 'ROLLED_BACK')
        ),
        CONSTRAINT reservations_placed CHECK ((place IS NULL) = (reserved_at IS NULL))
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE redemptions (
        member_id uuid NOT NULL,
        coupon_id uuid NOT NULL,
        checkout_id uuid NOT NULL,
        campaign_id uuid NOT NULL,
        amount_minor bigint NOT NULL,
        currency text NOT NULL,
        funder text NOT NULL,
        merchant_id uuid NOT NULL,
        redeemed_at timestamptz NOT NULL,
        CONSTRAINT redemptions_pkey PRIMARY KEY (member_id, coupon_id, checkout_id),
        CONSTRAINT redemptions_amount CHECK (amount_minor > 0)
    )
    """,
    """
    CREATE TABLE roll_backs (
        member_id uuid NOT NULL,
        coupon_id uuid NOT NULL,
        checkout_id uuid NOT NULL,
        refund_id uuid NOT NULL,
        restored boolean NOT NULL,
        rolled_back_at timestamptz NOT NULL,
        CONSTRAINT roll_backs_pkey PRIMARY KEY (member_id, coupon_id, checkout_id),
        CONSTRAINT roll_backs_redemption_fkey FOREIGN KEY (member_id, coupon_id, checkout_id)
            REFERENCES redemptions
    )
    """,
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% of %: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
            USING ERRCODE = 'integrity_constraint_violation';
    END
    $$
    """,
    """
    CREATE TRIGGER members_versions_grow BEFORE UPDATE ON members FOR EACH ROW
        WHEN (NEW.version < OLD.version OR NEW.member_id <> OLD.member_id)
        EXECUTE FUNCTION refuse_change('a version never goes back')
    """,
    """
    CREATE TRIGGER campaigns_rules_stay BEFORE UPDATE ON campaigns FOR EACH ROW
        WHEN (
            (OLD.campaign_id, OLD.code, OLD.name_zh, OLD.name_en, OLD.currency, OLD.funder,
             OLD.benefit_kind, OLD.amount_minor, OLD.basis_points, OLD.ceiling_minor,
             OLD.valid_from, OLD.valid_until, OLD.quantity, OLD.per_member, OLD.created_at)
            IS DISTINCT FROM
            (NEW.campaign_id, NEW.code, NEW.name_zh, NEW.name_en, NEW.currency, NEW.funder,
             NEW.benefit_kind, NEW.amount_minor, NEW.basis_points, NEW.ceiling_minor,
             NEW.valid_from, NEW.valid_until, NEW.quantity, NEW.per_member, NEW.created_at)
        )
        EXECUTE FUNCTION refuse_change('the rules of a campaign never change')
    """,
    """
    CREATE TRIGGER campaigns_conditions_stay BEFORE UPDATE OF conditions ON campaigns
        FOR EACH ROW EXECUTE FUNCTION refuse_change('the rules of a campaign never change')
    """,
    """
    CREATE TRIGGER campaigns_issue_forward BEFORE UPDATE ON campaigns FOR EACH ROW
        WHEN (NEW.issued < OLD.issued)
        EXECUTE FUNCTION refuse_change('issuing is never undone')
    """,
    """
    CREATE TRIGGER coupons_rights_stay BEFORE UPDATE ON coupons FOR EACH ROW
        WHEN (
            (OLD.member_id, OLD.coupon_id, OLD.campaign_id, OLD.ordinal, OLD.issued_at,
             OLD.expires_at)
            IS DISTINCT FROM
            (NEW.member_id, NEW.coupon_id, NEW.campaign_id, NEW.ordinal, NEW.issued_at,
             NEW.expires_at)
        )
        EXECUTE FUNCTION refuse_change('what a coupon is never changes')
    """,
    """
    CREATE TRIGGER coupons_ends_stay BEFORE UPDATE ON coupons FOR EACH ROW
        WHEN (OLD.state IN ('EXPIRED', 'REVOKED'))
        EXECUTE FUNCTION refuse_change('an ended coupon stays ended')
    """,
    """
    CREATE TRIGGER coupons_stay BEFORE DELETE ON coupons FOR EACH ROW
        EXECUTE FUNCTION refuse_change('coupons are never deleted')
    """,
    """
    CREATE TRIGGER reservations_outcomes_stay BEFORE UPDATE ON reservations FOR EACH ROW
        WHEN (
            OLD.state IN ('CANCELLED', 'ROLLED_BACK')
            OR (OLD.state = 'REDEEMED' AND NEW.state <> 'ROLLED_BACK')
            OR (OLD.checkout_id, OLD.member_id, OLD.discounts, OLD.currency, OLD.place,
                OLD.reserved_at)
               IS DISTINCT FROM
               (NEW.checkout_id, NEW.member_id, NEW.discounts, NEW.currency, NEW.place,
                NEW.reserved_at)
        )
        EXECUTE FUNCTION refuse_change('a checkout has one outcome')
    """,
    """
    CREATE TRIGGER reservations_stay BEFORE DELETE ON reservations FOR EACH ROW
        EXECUTE FUNCTION refuse_change('the record of a checkout is never deleted')
    """,
    """
    CREATE TRIGGER redemptions_stay BEFORE UPDATE OR DELETE ON redemptions FOR EACH ROW
        EXECUTE FUNCTION refuse_change('a redemption is a fact')
    """,
    """
    CREATE TRIGGER roll_backs_stay BEFORE UPDATE OR DELETE ON roll_backs FOR EACH ROW
        EXECUTE FUNCTION refuse_change('a roll-back is a fact')
    """,
)


def upgrade() -> None:
    """Create the chassis' tables and the service's own."""
    create_chassis_tables(op)
    for statement in STATEMENTS:
        op.execute(statement)
