"""Members, cards, consents and tiers; personal data is ciphertext from the first day on."""

from alembic import op

from chassis.storage.tables import create_chassis_tables

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE tiers (
        code text PRIMARY KEY CHECK (code ~ '^[A-Z0-9_]{1,16}$'),
        rank smallint NOT NULL UNIQUE,
        name_zh text NOT NULL,
        name_en text NOT NULL
    )
    """,
    """
    INSERT INTO tiers (code, rank, name_zh, name_en) VALUES
        ('CLASSIC', 1, '经典会员', 'Classic'),
        ('SILVER', 2, '银卡会员', 'Silver'),
        ('GOLD', 3, '金卡会员', 'Gold'),
        ('PLATINUM', 4, '白金会员', 'Platinum')
    """,
    """
    CREATE TABLE members (
        member_id uuid PRIMARY KEY,
        version bigint NOT NULL CHECK (version > 0),
        name bytea NOT NULL,
        mobile bytea NOT NULL,
        email bytea,
        birthday bytea,
        mobile_index bytea NOT NULL UNIQUE CHECK (octet_length(mobile_index) = 32),
        email_index bytea UNIQUE CHECK (octet_length(email_index) = 32),
        title text NOT NULL CHECK (title IN ('UNSPECIFIED', 'MR', 'MS')),
        language text NOT NULL CHECK (language IN ('zh-CN', 'en')),
        home_property text NOT NULL,
        time_zone text NOT NULL,
        tags text[] NOT NULL CHECK (cardinality(tags) <= 50),
        channel text NOT NULL CHECK (channel IN
            ('FRONT_DESK', 'WEB', 'APP', 'SMS', 'CALL_CENTER', 'MERCHANT')),
        tier text NOT NULL REFERENCES tiers,
        referral_code text NOT NULL UNIQUE CHECK (referral_code ~ '^[A-Z0-9]{8}$'),
        referred_by uuid REFERENCES members CHECK (referred_by <> member_id),
        vouched_by_staff text NOT NULL,
        enrolled_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL CHECK (changed_at >= enrolled_at),
        CONSTRAINT members_email_has_index CHECK ((email IS NULL) = (email_index IS NULL))
    )
    """,
    """
    CREATE TABLE cards (
        member_id uuid NOT NULL REFERENCES members,
        card_id uuid NOT NULL,
        number bytea NOT NULL,
        number_index bytea NOT NULL UNIQUE CHECK (octet_length(number_index) = 32),
        state text NOT NULL CHECK (state IN ('ACTIVE', 'FROZEN', 'REPLACED', 'LOST', 'CLOSED')),
        issued_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL CHECK (changed_at >= issued_at),
        PRIMARY KEY (member_id, card_id)
    )
    """,
    """
    CREATE UNIQUE INDEX cards_one_current ON cards (member_id)
        WHERE state IN ('ACTIVE', 'FROZEN', 'LOST')
    """,
    """
    CREATE TABLE consents (
        member_id uuid NOT NULL REFERENCES members,
        channel text NOT NULL CHECK (channel IN ('SMS', 'EMAIL')),
        purpose text NOT NULL CHECK (purpose IN ('SERVICE', 'MARKETING', 'SURVEY')),
        decided_at timestamptz NOT NULL,
        granted boolean NOT NULL,
        how text NOT NULL,
        PRIMARY KEY (member_id, channel, purpose, decided_at)
    )
    """,
)

GUARDS = (
    """
    CREATE FUNCTION members_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.member_id, NEW.referral_code, NEW.enrolled_at, NEW.channel)
            IS DISTINCT FROM (OLD.member_id, OLD.referral_code, OLD.enrolled_at, OLD.channel) THEN
            RAISE EXCEPTION 'members: id, referral code and enrolment never change'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF NEW.version < OLD.version THEN
            RAISE EXCEPTION 'members: a version never goes back'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER members_guard BEFORE UPDATE ON members
        FOR EACH ROW EXECUTE FUNCTION members_guard()
    """,
    """
    CREATE FUNCTION cards_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.member_id, NEW.card_id, NEW.number_index, NEW.issued_at)
            IS DISTINCT FROM (OLD.member_id, OLD.card_id, OLD.number_index, OLD.issued_at) THEN
            RAISE EXCEPTION 'cards: a card keeps its member and number for ever'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF OLD.state <> NEW.state AND (OLD.state || '>' || NEW.state) NOT IN (
            'ACTIVE>FROZEN', 'ACTIVE>REPLACED', 'ACTIVE>LOST', 'ACTIVE>CLOSED',
            'FROZEN>ACTIVE', 'FROZEN>REPLACED', 'FROZEN>LOST', 'FROZEN>CLOSED',
            'LOST>REPLACED', 'LOST>CLOSED') THEN
            RAISE EXCEPTION 'cards: % does not become %', OLD.state, NEW.state
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER cards_guard BEFORE UPDATE ON cards
        FOR EACH ROW EXECUTE FUNCTION cards_guard()
    """,
    """
    CREATE FUNCTION kept_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '%: rows are history, add another', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    """
    CREATE TRIGGER consents_kept BEFORE UPDATE OR DELETE ON consents
        FOR EACH ROW EXECUTE FUNCTION kept_for_ever()
    """,
    """
    CREATE TRIGGER cards_kept BEFORE DELETE ON cards
        FOR EACH ROW EXECUTE FUNCTION kept_for_ever()
    """,
)


def upgrade() -> None:
    """Create everything."""
    create_chassis_tables(op)
    for statement in (*TABLES, *GUARDS):
        op.execute(statement)
