"""When activity has let a member's points live longer, and until when."""

from alembic import op

revision = "0010"
down_revision = "0009"

# It moves nothing and so has no entry: its row is kept, for it explains the event's version.
POINTS_EXTENSIONS = """
CREATE TABLE points_extensions (
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    checkout_id uuid NOT NULL,
    programme_version integer NOT NULL,
    extended_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    points bigint NOT NULL,
    CONSTRAINT points_extensions_pkey PRIMARY KEY (member_id, version),
    CONSTRAINT points_extensions_points_positive CHECK (points > 0),
    CONSTRAINT points_extensions_later CHECK (expires_at > extended_at)
)
"""


def upgrade() -> None:
    op.execute(POINTS_EXTENSIONS)
