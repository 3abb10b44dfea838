"""Reversals by part: how much of each checkout is reversed, and of what it consists."""

from alembic import op

revision = "0005"
down_revision = "0004"

# NULL until something is reversed: nothing of it is stored for the checkouts that never are. What
# is not one of the parts named is money.
RETURNED = """
ALTER TABLE checkouts
    ADD COLUMN reversed_minor bigint,
    ADD COLUMN points_restored bigint,
    ADD COLUMN points_value_restored_minor bigint,
    ADD COLUMN cash_restored_minor bigint,
    ADD COLUMN bonus_restored_minor bigint
"""
REVERSALS = """
ALTER TABLE reversals
    ADD COLUMN amount_minor bigint,
    ADD COLUMN points_value_minor bigint,
    ADD COLUMN money_minor bigint
"""
BACKFILL = """
UPDATE reversals AS r
SET amount_minor = c.bill_minor, points_value_minor = c.points_value_minor,
    money_minor = c.to_pay_minor
FROM checkouts AS c WHERE c.checkout_id = r.checkout_id;
UPDATE checkouts AS c
SET reversed_minor = r.amount_minor, points_restored = r.points_restored,
    points_value_restored_minor = r.points_value_minor,
    cash_restored_minor = r.cash_restored_minor, bonus_restored_minor = r.bonus_restored_minor
FROM reversals AS r WHERE r.checkout_id = c.checkout_id
"""
CHECKED = """
ALTER TABLE reversals
    ALTER COLUMN amount_minor SET NOT NULL,
    ALTER COLUMN points_value_minor SET NOT NULL,
    ALTER COLUMN money_minor SET NOT NULL,
    ADD CONSTRAINT reversals_add_up CHECK (
        amount_minor
        = points_value_minor + cash_restored_minor + bonus_restored_minor + money_minor
    ),
    ADD CONSTRAINT reversals_give_back CHECK (
        points_value_minor >= 0 AND points_restored >= 0 AND cash_restored_minor >= 0
        AND bonus_restored_minor >= 0 AND money_minor >= 0 AND points_taken_back >= 0
        AND debt_recorded >= 0
    );
ALTER TABLE checkouts
    ADD CONSTRAINT checkouts_returned_whole CHECK (
        num_nulls(reversed_minor, points_restored, points_value_restored_minor,
                  cash_restored_minor, bonus_restored_minor) IN (0, 5)
    ),
    ADD CONSTRAINT checkouts_returned_within_bill CHECK (
        reversed_minor BETWEEN 0 AND bill_minor
        AND points_value_restored_minor BETWEEN 0 AND points_value_minor
        AND points_restored >= 0 AND cash_restored_minor >= 0 AND bonus_restored_minor >= 0
        AND cash_restored_minor + bonus_restored_minor
            <= bill_minor - points_value_minor - to_pay_minor
        AND reversed_minor
            - points_value_restored_minor - cash_restored_minor - bonus_restored_minor
            BETWEEN 0 AND to_pay_minor
    ),
    ADD CONSTRAINT checkouts_reversed_when_all_is CHECK (
        (state = 'REVERSED') = coalesce(reversed_minor = bill_minor, false)
    )
"""


def upgrade() -> None:
    for script in (RETURNED, REVERSALS, BACKFILL, CHECKED):
        op.execute(script)
