"""The ledger: members with their balances, lots, the immutable journal, checkouts, programmes."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from chassis.storage.migrations import create_chassis_tables

revision = "0001"
down_revision = None

TYPES = """
CREATE TYPE asset AS ENUM ('POINTS', 'CASH', 'BONUS');
CREATE TYPE house_account AS ENUM (
    'ISSUED', 'REDEEMED', 'EXPIRED', 'BREAKAGE', 'CASH_IN', 'CASH_OUT', 'ADJUSTED', 'TRANSFER',
    'DEBT', 'FUNDING', 'SETTLEMENT'
);
CREATE TYPE funder AS ENUM ('ISSUER', 'MERCHANT');
CREATE TYPE entry_kind AS ENUM ('CHECKOUT', 'REVERSAL', 'TOP_UP', 'EXPIRY');
CREATE TYPE checkout_state AS ENUM ('POSTED', 'CANCELLED', 'REVERSED');
"""

# One row a member and command: it is the lock, the three accounts, and what the next command must
# know of the lots without loading them. No column but the key is in an index, so updates are HOT.
MEMBERS = """
CREATE TABLE members (
    member_id uuid NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    last_posted_at timestamptz,
    points bigint NOT NULL DEFAULT 0,
    cash_minor bigint NOT NULL DEFAULT 0,
    bonus_minor bigint NOT NULL DEFAULT 0,
    points_debt bigint NOT NULL DEFAULT 0,
    points_next_expiry timestamptz,
    points_next_earned_at timestamptz,
    points_next_remaining bigint,
    bonus_next_expiry timestamptz,
    last_lot_number integer NOT NULL DEFAULT 0,
    currency text NOT NULL DEFAULT 'CNY',
    CONSTRAINT members_pkey PRIMARY KEY (member_id),
    CONSTRAINT members_nothing_negative CHECK (
        points >= 0 AND cash_minor >= 0 AND bonus_minor >= 0 AND points_debt >= 0
        AND version >= 0 AND last_lot_number >= 0
    ),
    CONSTRAINT members_next_expiry_whole CHECK (
        (points_next_expiry IS NULL) = (points_next_remaining IS NULL)
        AND (points_next_expiry IS NULL) = (points_next_earned_at IS NULL)
        AND (points_next_remaining IS NULL
             OR points_next_remaining > 0 AND points_next_remaining <= points)
    )
) WITH (fillfactor = 50)
"""

LOTS = """
CREATE TABLE lots (
    member_id uuid NOT NULL,
    lot_number integer NOT NULL,
    asset asset NOT NULL,
    open boolean NOT NULL,
    amount bigint NOT NULL,
    remaining bigint NOT NULL,
    expired bigint NOT NULL,
    earned_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT lots_pkey PRIMARY KEY (member_id, lot_number),
    CONSTRAINT lots_within_amount CHECK (
        amount > 0 AND remaining >= 0 AND remaining <= amount AND expired >= 0
    ),
    CONSTRAINT lots_open_while_something_remains CHECK (open = (remaining > 0)),
    CONSTRAINT lots_cash_never_expires CHECK (asset <> 'CASH' OR expires_at IS NULL)
) WITH (fillfactor = 85);
CREATE INDEX lots_open ON lots (member_id, asset, expires_at, earned_at, lot_number) WHERE open;
"""

POSTINGS = """
CREATE TABLE postings (
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    line smallint NOT NULL,
    kind entry_kind NOT NULL,
    asset asset NOT NULL,
    house house_account NOT NULL,
    funder funder,
    lot_number integer,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    basis_minor bigint NOT NULL,
    posted_at timestamptz NOT NULL,
    reference_id uuid,
    merchant_id uuid,
    programme_version integer NOT NULL,
    rule text NOT NULL,
    CONSTRAINT postings_pkey PRIMARY KEY (member_id, version, line),
    CONSTRAINT postings_move_something CHECK (amount <> 0),
    CONSTRAINT postings_balance_not_negative CHECK (balance_after >= 0),
    CONSTRAINT postings_move_a_lot CHECK (
        lot_number IS NOT NULL OR house IN ('DEBT', 'ISSUED', 'FUNDING')
    ),
    CONSTRAINT postings_refer CHECK (kind = 'EXPIRY' OR reference_id IS NOT NULL)
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is never changed: add a correction', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER postings_are_immutable BEFORE UPDATE OR DELETE ON postings
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER postings_are_kept BEFORE TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# A checkout id is taken for ever, by a posting or by a fence. What was posted is answered again
# from here and from its postings, as long as it may be asked for: longer than requests are kept.
CHECKOUTS = """
CREATE TABLE checkouts (
    checkout_id uuid NOT NULL,
    member_id uuid NOT NULL,
    state checkout_state NOT NULL,
    version bigint,
    posted_at timestamptz,
    occurred_at timestamptz,
    resolved_at timestamptz,
    currency text,
    merchant_id uuid,
    outlet_id uuid,
    terminal_id uuid,
    property_code text,
    programme_version integer,
    bill_minor bigint,
    points_value_minor bigint,
    to_pay_minor bigint,
    points_after bigint,
    cash_after_minor bigint,
    bonus_after_minor bigint,
    points_debt_after bigint,
    next_expiring_points_after bigint,
    next_expiry_after timestamptz,
    CONSTRAINT checkouts_pkey PRIMARY KEY (checkout_id),
    CONSTRAINT checkouts_posted_or_fenced CHECK ((state = 'CANCELLED') = (version IS NULL)),
    CONSTRAINT checkouts_resolved CHECK ((state = 'POSTED') = (resolved_at IS NULL)),
    CONSTRAINT checkouts_bill CHECK (
        bill_minor >= 0 AND to_pay_minor >= 0 AND points_value_minor >= 0
    )
) WITH (fillfactor = 95)
"""

REVERSALS = """
CREATE TABLE reversals (
    reversal_id uuid NOT NULL,
    checkout_id uuid NOT NULL,
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    reversed_at timestamptz NOT NULL,
    merchant_id uuid NOT NULL,
    outlet_id uuid NOT NULL,
    terminal_id uuid NOT NULL,
    property_code text NOT NULL,
    points_restored bigint NOT NULL,
    cash_restored_minor bigint NOT NULL,
    bonus_restored_minor bigint NOT NULL,
    points_taken_back bigint NOT NULL,
    debt_recorded bigint NOT NULL,
    CONSTRAINT reversals_pkey PRIMARY KEY (reversal_id)
);
CREATE INDEX reversals_checkout ON reversals (checkout_id);
"""

TOP_UPS = """
CREATE TABLE top_ups (
    top_up_id uuid NOT NULL,
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    posted_at timestamptz NOT NULL,
    currency text NOT NULL,
    merchant_id uuid NOT NULL,
    outlet_id uuid NOT NULL,
    terminal_id uuid NOT NULL,
    property_code text NOT NULL,
    cash_minor bigint NOT NULL,
    bonus_minor bigint NOT NULL,
    cash_lot_number integer NOT NULL,
    bonus_lot_number integer,
    CONSTRAINT top_ups_pkey PRIMARY KEY (top_up_id),
    CONSTRAINT top_ups_positive CHECK (cash_minor > 0 AND bonus_minor >= 0),
    CONSTRAINT top_ups_gift_has_a_lot CHECK ((bonus_minor > 0) = (bonus_lot_number IS NOT NULL))
)
"""

PROGRAMMES = """
CREATE TABLE programmes (
    version integer NOT NULL,
    valid_from timestamptz NOT NULL,
    content jsonb NOT NULL,
    published_at timestamptz NOT NULL,
    CONSTRAINT programmes_pkey PRIMARY KEY (version),
    CONSTRAINT programmes_version_positive CHECK (version > 0)
);
CREATE TRIGGER programmes_are_immutable BEFORE UPDATE OR DELETE ON programmes
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

OUTLET_CATEGORIES = ("DINING", "SPA", "RETAIL", "ENTERTAINMENT", "LAUNDRY", "OTHER")
POINT_PER_YUAN_MILLI = 1000
TIER_MULTIPLIERS_MILLI = {"SILVER": 1200, "GOLD": 1500, "PLATINUM": 2000}


def _base_rule(category: str, condition: dict[str, object]) -> dict[str, object]:
    return {
        "code": f"BASE_{category}",
        "class": "BASE",
        "effect": POINT_PER_YUAN_MILLI,
        "funder": "ISSUER",
        "condition": {"categories": [category], **condition},
    }


def default_programme() -> dict[str, object]:
    """The programme that a new installation starts with (DOMAIN §3)."""
    rules = [_base_rule("ROOM", {"channels": ["DIRECT", "CORPORATE"]})]
    rules += [_base_rule(category, {}) for category in OUTLET_CATEGORIES]
    rules += [
        {
            "code": f"TIER_{tier}",
            "class": "BEST_OF",
            "effect": multiplier,
            "funder": "ISSUER",
            "condition": {"tiers": [tier]},
        }
        for tier, multiplier in TIER_MULTIPLIERS_MILLI.items()
    ]
    return {
        "earning_rules": rules,
        "redemption": {"points_per_unit": 100, "minimum_points": 100, "maximum_shares": {}},
        "stored_value": {
            "top_up_tiers": [
                {"from_minor": 50_000, "bonus_minor": 3_000},
                {"from_minor": 100_000, "bonus_minor": 10_000},
                {"from_minor": 300_000, "bonus_minor": 40_000},
            ],
            "top_up_limit_minor": 500_000,
            "balance_limit_minor": 500_000,
            "spend_order": "PROPORTIONAL",
            "bonus_expires_after_months": 24,
        },
        "points_expire_after_months": 24,
    }


def upgrade() -> None:
    create_chassis_tables(op)
    for script in (TYPES, MEMBERS, LOTS, POSTINGS, CHECKOUTS, REVERSALS, TOP_UPS, PROGRAMMES):
        op.execute(script)
    programmes = sa.table(
        "programmes",
        sa.column("version", sa.Integer),
        sa.column("valid_from", sa.DateTime(timezone=True)),
        sa.column("content", postgresql.JSONB),
        sa.column("published_at", sa.DateTime(timezone=True)),
    )
    op.execute(
        programmes.insert().values(
            version=1,
            valid_from=datetime(2000, 1, 1, tzinfo=UTC),
            content=default_programme(),
            published_at=sa.func.now(),
        )
    )
