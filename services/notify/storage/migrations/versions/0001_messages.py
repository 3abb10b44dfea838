"""Messages, what providers said of their parts, and the templates they are rendered by.

No column holds a name, a number, an address or a rendered text.
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
        CONSTRAINT members_pkey PRIMARY KEY (member_id),
        CONSTRAINT members_version_counts CHECK (version >= 0)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE messages (
        member_id uuid NOT NULL,
        message_id uuid NOT NULL,
        channel smallint NOT NULL,
        template_code text NOT NULL,
        purpose text NOT NULL,
        variables jsonb NOT NULL,
        event_id uuid NOT NULL,
        event_type text NOT NULL,
        traceparent text NOT NULL,
        state smallint NOT NULL DEFAULT 1,
        reason text NOT NULL DEFAULT '',
        attempts integer NOT NULL DEFAULT 0,
        parts integer NOT NULL DEFAULT 0,
        template_version bigint NOT NULL DEFAULT 0,
        queued_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        sent_at timestamptz,
        ended_at timestamptz,
        CONSTRAINT messages_pkey PRIMARY KEY (member_id, message_id),
        CONSTRAINT messages_once UNIQUE (event_id, member_id, channel, template_code),
        CONSTRAINT messages_channel_known CHECK (channel IN (1, 2)),
        CONSTRAINT messages_state_known CHECK (state BETWEEN 1 AND 6),
        CONSTRAINT messages_purpose_known CHECK (purpose IN ('SERVICE', 'MARKETING')),
        CONSTRAINT messages_counts CHECK (attempts >= 0 AND parts >= 0),
        CONSTRAINT messages_reason_told CHECK ((reason <> '') = (state IN (5, 6))),
        CONSTRAINT messages_sent_known CHECK (state NOT IN (3, 4) OR sent_at IS NOT NULL),
        CONSTRAINT messages_end_known CHECK ((ended_at IS NOT NULL) = (state IN (4, 5, 6)))
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX messages_waiting ON messages (channel, due_at) WHERE state IN (1, 2)",
    """
    CREATE TABLE parts (
        provider text NOT NULL,
        provider_message_id text NOT NULL,
        member_id uuid NOT NULL,
        message_id uuid NOT NULL,
        part integer NOT NULL,
        outcome text NOT NULL DEFAULT '',
        CONSTRAINT parts_pkey PRIMARY KEY (provider, provider_message_id),
        CONSTRAINT parts_message_fkey FOREIGN KEY (member_id, message_id) REFERENCES messages,
        CONSTRAINT parts_number_counts CHECK (part > 0)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX parts_of_message ON parts (member_id, message_id)",
    """
    CREATE TABLE receipts (
        provider text NOT NULL,
        provider_message_id text NOT NULL,
        outcome text NOT NULL,
        received_at timestamptz NOT NULL,
        CONSTRAINT receipts_pkey PRIMARY KEY (provider, provider_message_id)
    ) WITH (
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0
    )
    """,
    """
    CREATE TABLE templates (
        code text NOT NULL,
        channel smallint NOT NULL,
        language smallint NOT NULL,
        version bigint NOT NULL,
        subject text NOT NULL,
        body text NOT NULL,
        variables text[] NOT NULL,
        created_at timestamptz NOT NULL,
        CONSTRAINT templates_pkey PRIMARY KEY (code, channel, language, version),
        CONSTRAINT templates_channel_known CHECK (channel IN (1, 2)),
        CONSTRAINT templates_language_known CHECK (language IN (1, 2)),
        CONSTRAINT templates_version_counts CHECK (version > 0)
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
    CREATE TRIGGER messages_ends_stay BEFORE UPDATE ON messages FOR EACH ROW
        WHEN (OLD.state IN (4, 5, 6))
        EXECUTE FUNCTION refuse_change('an ended message stays ended')
    """,
    """
    CREATE TRIGGER messages_origins_stay BEFORE UPDATE ON messages FOR EACH ROW
        WHEN (
            (OLD.member_id, OLD.message_id, OLD.channel, OLD.template_code, OLD.purpose,
             OLD.event_id, OLD.event_type, OLD.queued_at)
            IS DISTINCT FROM
            (NEW.member_id, NEW.message_id, NEW.channel, NEW.template_code, NEW.purpose,
             NEW.event_id, NEW.event_type, NEW.queued_at)
        )
        EXECUTE FUNCTION refuse_change('what a message is about never changes')
    """,
    """
    CREATE TRIGGER messages_sent_once BEFORE UPDATE ON messages FOR EACH ROW
        WHEN (OLD.state = 3 AND NEW.state NOT IN (3, 4, 5))
        EXECUTE FUNCTION refuse_change('a message that a provider took is not sent again')
    """,
    """
    CREATE TRIGGER templates_stay BEFORE UPDATE OR DELETE ON templates FOR EACH ROW
        EXECUTE FUNCTION refuse_change('a template version never changes: add another')
    """,
)


def upgrade() -> None:
    """Create the chassis' tables and the service's own."""
    create_chassis_tables(op)
    for statement in STATEMENTS:
        op.execute(statement)
