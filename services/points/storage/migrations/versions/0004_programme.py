"""The earning programme complete: facts kept with checkouts, pending points, caps, drafts.

New columns have defaults, so that an earlier release goes on writing. What it posts meanwhile is
without facts (a dry run leaves it out) and is not counted among a member's purchases.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

TYPES = """
CREATE TYPE pending_state AS ENUM ('PENDING', 'MATURED', 'CANCELLED');
CREATE TYPE draft_state AS ENUM ('OPEN', 'ACTIVATED', 'DISCARDED');
"""

# In no index: they change on the hot path.
MEMBERS = """
ALTER TABLE members
    ADD COLUMN purchases bigint NOT NULL DEFAULT 0,
    ADD COLUMN points_pending bigint NOT NULL DEFAULT 0,
    ADD COLUMN next_maturing_at timestamptz,
    ADD CONSTRAINT members_pending CHECK (
        points_pending >= 0 AND (points_pending > 0) = (next_maturing_at IS NOT NULL)
    );
UPDATE members SET purchases = posted.purchases
FROM (SELECT member_id, count(*) AS purchases FROM checkouts
      WHERE state = 'POSTED' AND kind IS DISTINCT FROM 'CAPTURE' GROUP BY member_id) AS posted
WHERE posted.member_id = members.member_id;
"""

# Rows lie in the order of their posting, so a BRIN index finds a range of time at almost no cost to
# posting; a dry run sorts what it finds.
CHECKOUTS = """
ALTER TABLE checkouts
    ADD COLUMN points_pending_after bigint NOT NULL DEFAULT 0,
    ADD COLUMN facts bytea;
CREATE INDEX checkouts_by_time ON checkouts USING brin (posted_at) WITH (pages_per_range = 32);
ALTER TABLE reversals ADD COLUMN pending_cancelled bigint NOT NULL DEFAULT 0;
"""

PENDING_POINTS = """
CREATE TABLE pending_points (
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    line smallint NOT NULL,
    checkout_id uuid NOT NULL,
    merchant_id uuid NOT NULL,
    programme_version integer NOT NULL,
    rule text NOT NULL,
    funder funder NOT NULL,
    points bigint NOT NULL,
    basis_minor bigint NOT NULL,
    earned_at timestamptz NOT NULL,
    matures_at timestamptz NOT NULL,
    expires_at timestamptz,
    state pending_state NOT NULL,
    resolved_version bigint,
    lot_number integer,
    cancelled bigint NOT NULL,
    CONSTRAINT pending_points_pkey PRIMARY KEY (member_id, version, line),
    CONSTRAINT pending_points_positive CHECK (points > 0 AND cancelled BETWEEN 0 AND points),
    CONSTRAINT pending_points_mature_before_they_expire CHECK (expires_at > matures_at),
    CONSTRAINT pending_points_resolved CHECK (
        (state = 'PENDING') = (resolved_version IS NULL)
        AND (state = 'MATURED') = (lot_number IS NOT NULL)
        AND (state = 'CANCELLED') = (cancelled = points)
    )
);
CREATE INDEX pending_points_open ON pending_points (member_id) WHERE state = 'PENDING';
"""

RULES = """
CREATE TABLE rule_usage (
    member_id uuid NOT NULL,
    rule text NOT NULL,
    period text NOT NULL,
    points bigint NOT NULL,
    CONSTRAINT rule_usage_pkey PRIMARY KEY (member_id, rule, period),
    CONSTRAINT rule_usage_not_negative CHECK (points >= 0)
) WITH (fillfactor = 70);
CREATE TABLE rule_budgets (
    rule text NOT NULL,
    budget_points bigint NOT NULL,
    given_points bigint NOT NULL,
    CONSTRAINT rule_budgets_pkey PRIMARY KEY (rule),
    CONSTRAINT rule_budgets_never_over CHECK (given_points BETWEEN 0 AND budget_points)
) WITH (fillfactor = 10);
"""

DRAFTS = """
CREATE TABLE programme_drafts (
    draft_id uuid NOT NULL,
    revision integer NOT NULL,
    title text NOT NULL,
    state draft_state NOT NULL,
    valid_from timestamptz NOT NULL,
    content jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer,
    CONSTRAINT programme_drafts_pkey PRIMARY KEY (draft_id),
    CONSTRAINT programme_drafts_version_unique UNIQUE (version),
    CONSTRAINT programme_drafts_revised CHECK (revision > 0),
    CONSTRAINT programme_drafts_activated CHECK ((state = 'ACTIVATED') = (version IS NOT NULL))
);
CREATE TABLE programme_retirements (
    number integer NOT NULL,
    version integer NOT NULL,
    valid_until timestamptz NOT NULL,
    retired_at timestamptz NOT NULL,
    CONSTRAINT programme_retirements_pkey PRIMARY KEY (number),
    CONSTRAINT programme_retirements_version FOREIGN KEY (version) REFERENCES programmes (version),
    CONSTRAINT programme_retirements_ahead CHECK (number > 0)
);
CREATE TRIGGER programme_retirements_are_immutable BEFORE UPDATE OR DELETE ON programme_retirements
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    for script in (TYPES, MEMBERS, CHECKOUTS, PENDING_POINTS, RULES, DRAFTS):
        op.execute(script)
