"""The service's tables as SQLAlchemy knows them; a test holds them equal to the migrations."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from chassis.storage.tables import define_chassis_tables

metadata = sa.MetaData()
chassis_tables = define_chassis_tables(metadata)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


members = sa.Table(
    "members",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
    _instant("changed_at", nullable=True),
)

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("campaign_id", sa.Uuid, primary_key=True),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("funder", sa.Text, nullable=False),
    sa.Column("benefit_kind", sa.Text, nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("basis_points", sa.Integer, nullable=False),
    sa.Column("ceiling_minor", sa.BigInteger, nullable=False),
    _instant("valid_from"),
    _instant("valid_until"),
    sa.Column("conditions", JSONB, nullable=False),
    sa.Column("quantity", sa.BigInteger, nullable=False),
    sa.Column("per_member", sa.Integer, nullable=False),
    _instant("created_at"),
    sa.Column("issued", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reserved", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("redeemed", sa.BigInteger, nullable=False, server_default="0"),
    sa.UniqueConstraint("code", name="campaigns_code_key"),
)

coupons = sa.Table(
    "coupons",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("coupon_id", sa.Uuid, primary_key=True),
    sa.Column("campaign_id", sa.Uuid, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    _instant("issued_at"),
    _instant("expires_at"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("checkout_id", sa.Uuid),
    sa.UniqueConstraint("member_id", "campaign_id", "ordinal", name="coupons_member_place"),
)

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("checkout_id", sa.Uuid, primary_key=True),
    sa.Column("member_id", sa.Uuid, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("discounts", JSONB, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("place", JSONB),
    _instant("reserved_at", nullable=True),
    _instant("redeemed_at", nullable=True),
    _instant("cancelled_at", nullable=True),
    _instant("rolled_back_at", nullable=True),
    sa.Column("expired_coupon_ids", JSONB, nullable=False, server_default="[]"),
)

redemptions = sa.Table(
    "redemptions",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("coupon_id", sa.Uuid, primary_key=True),
    sa.Column("checkout_id", sa.Uuid, primary_key=True),
    sa.Column("campaign_id", sa.Uuid, nullable=False),
    sa.Column("amount_minor", sa.BigInteger, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("funder", sa.Text, nullable=False),
    sa.Column("merchant_id", sa.Uuid, nullable=False),
    _instant("redeemed_at"),
)

roll_backs = sa.Table(
    "roll_backs",
    metadata,
    sa.Column("member_id", sa.Uuid, primary_key=True),
    sa.Column("coupon_id", sa.Uuid, primary_key=True),
    sa.Column("checkout_id", sa.Uuid, primary_key=True),
    sa.Column("refund_id", sa.Uuid, nullable=False),
    sa.Column("restored", sa.Boolean, nullable=False),
    _instant("rolled_back_at"),
    sa.ForeignKeyConstraint(
        ["member_id", "coupon_id", "checkout_id"],
        ["redemptions.member_id", "redemptions.coupon_id", "redemptions.checkout_id"],
        name="roll_backs_redemption_fkey",
    ),
)
