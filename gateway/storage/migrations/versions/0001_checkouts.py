"""Merchants, their tills and keys; checkouts, refunds, and what of them is unfinished."""

from alembic import op

from chassis.storage.migrations import create_chassis_tables

revision = "0001"
down_revision = None

MERCHANTS = (
    """
    CREATE TABLE merchants (
        merchant_id uuid PRIMARY KEY,
        code text NOT NULL CONSTRAINT merchants_code UNIQUE,
        name text NOT NULL,
        category smallint NOT NULL CHECK (category > 0),
        accepts_stored_value boolean NOT NULL,
        sells_stored_value boolean NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE outlets (
        outlet_id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants,
        name text NOT NULL,
        property_code text NOT NULL,
        time_zone text NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE terminals (
        terminal_id uuid PRIMARY KEY,
        outlet_id uuid NOT NULL REFERENCES outlets,
        name text NOT NULL,
        created_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE api_keys (
        key_id text PRIMARY KEY,
        merchant_id uuid NOT NULL REFERENCES merchants,
        secret_sha256 bytea NOT NULL CHECK (octet_length(secret_sha256) = 32),
        scopes smallint[] NOT NULL CHECK (cardinality(scopes) > 0),
        created_at timestamptz NOT NULL,
        expires_at timestamptz,
        revoked_at timestamptz
    )
    """,
)

# `members` counts event versions only. `unfinished` is a queue: a row's presence is its being
# unfinished, so that no index of checkouts and refunds ever changes after their first insert.
CHECKOUTS = (
    """
    CREATE TABLE members (
        member_id uuid PRIMARY KEY,
        version bigint NOT NULL CHECK (version >= 0)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE checkouts (
        checkout_id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL,
        request_id text NOT NULL,
        outlet_id uuid NOT NULL,
        terminal_id uuid NOT NULL,
        property_code text NOT NULL,
        fingerprint bytea NOT NULL,
        member_id uuid,
        opened_at timestamptz NOT NULL,
        deadline_at timestamptz NOT NULL,
        post_request bytea NOT NULL,
        cancel_post_request bytea NOT NULL,
        reserve_request bytea NOT NULL,
        redeem_request bytea NOT NULL,
        cancel_reservation_request bytea NOT NULL,
        reverse_request bytea NOT NULL,
        draft bytea NOT NULL,
        gross_minor bigint NOT NULL CHECK (gross_minor >= 0),
        coupons_minor bigint NOT NULL CHECK (coupons_minor BETWEEN 0 AND gross_minor),
        coupon_count smallint NOT NULL CHECK (coupon_count >= 0),
        tendered_minor bigint CHECK (tendered_minor >= 0),
        state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
        decided_at timestamptz,
        receipt bytea,
        refusal bytea,
        points_redeemed bigint NOT NULL DEFAULT 0 CHECK (points_redeemed >= 0),
        stored_value_minor bigint NOT NULL DEFAULT 0 CHECK (stored_value_minor >= 0),
        points_earned bigint NOT NULL DEFAULT 0 CHECK (points_earned >= 0),
        CONSTRAINT checkouts_request UNIQUE (merchant_id, request_id),
        CONSTRAINT checkouts_decided CHECK (
            (decided_at IS NULL) = (state = 1)
            AND (receipt IS NOT NULL) = (state = 2)
            AND (refusal IS NOT NULL) = (state = 3)
        ),
        CONSTRAINT checkouts_open_is_whole CHECK (
            state = 3 OR (member_id IS NOT NULL AND octet_length(post_request) > 0)
        )
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE refunds (
        refund_id uuid PRIMARY KEY,
        merchant_id uuid NOT NULL,
        request_id text NOT NULL,
        outlet_id uuid NOT NULL,
        terminal_id uuid NOT NULL,
        property_code text NOT NULL,
        fingerprint bytea NOT NULL,
        checkout_id uuid NOT NULL,
        member_id uuid,
        opened_at timestamptz NOT NULL,
        reverse_request bytea NOT NULL,
        roll_back_request bytea NOT NULL,
        money_minor bigint NOT NULL CHECK (money_minor >= 0),
        state smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
        answer bytea,
        refusal bytea,
        CONSTRAINT refunds_request UNIQUE (merchant_id, request_id),
        CONSTRAINT refunds_settled CHECK (
            (answer IS NOT NULL) = (state = 2) AND (refusal IS NOT NULL) = (state = 3)
        )
    )
    """,
    "CREATE UNIQUE INDEX refunds_one_each ON refunds (checkout_id) WHERE state <> 3",
    """
    CREATE TABLE unfinished (
        record_id uuid PRIMARY KEY,
        refund boolean NOT NULL,
        due_at timestamptz NOT NULL,
        attempts integer NOT NULL DEFAULT 0
    ) WITH (
        fillfactor = 70,
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0
    )
    """,
)

IMMUTABLE = (
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% of % is final', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER checkouts_decision_is_final BEFORE UPDATE ON checkouts FOR EACH ROW
    WHEN (OLD.state <> 1) EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER checkouts_are_kept BEFORE DELETE ON checkouts FOR EACH ROW
    EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER refunds_are_final BEFORE UPDATE ON refunds FOR EACH ROW
    WHEN (OLD.state <> 1) EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER refunds_are_kept BEFORE DELETE ON refunds FOR EACH ROW
    EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    create_chassis_tables(op)
    for statement in MERCHANTS + CHECKOUTS + IMMUTABLE:
        op.execute(statement)
