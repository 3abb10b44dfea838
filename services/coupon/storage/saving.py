"""Saving a book: one statement per table and kind of change, most of them in one round trip."""

from collections.abc import Sequence

import psycopg
from sqlalchemy import Connection

from chassis.storage import sets
from services.coupon.domain.book import Book
from services.coupon.domain.campaigns import Stock
from services.coupon.domain.checkouts import Checkout
from services.coupon.domain.coupons import Coupon
from services.coupon.storage.rows import (
    benefit_columns,
    conditions_json,
    discounts_json,
    ids_json,
    place_json,
)


def save_book(connection: Connection, book: Book) -> None:
    """Write all that changed; raises SerializationFailure where another replica was faster.

    The executor runs the batch again then, and finds what the other one wrote. All other rows are
    under locks and never deleted, so that what is updated is known to be there.
    """
    _insert_campaigns(connection, list(book.new_campaigns.values()))
    _insert_checkouts(connection, [book.checkouts[key] for key in sorted(book.new_checkouts)])
    with sets.pipelined(connection):
        _update_counters(connection, book)
        _insert_coupons(connection, [book.coupons[key] for key in sorted(book.new_coupons)])
        _update_coupons(connection, [book.coupons[key] for key in sorted(book.changed_coupons)])
        _update_checkouts(connection, book)
        _insert_redemptions(connection, book)
        _insert_roll_backs(connection, book)
        _update_members(connection, book)


def _insert_campaigns(connection: Connection, stocks: Sequence[Stock]) -> None:
    ordered = sorted((stock.campaign for stock in stocks), key=lambda each: each.code)
    benefits = [benefit_columns(each.benefit) for each in ordered]
    columns: sets.Columns = {
        "campaign_id": ("uuid", [each.campaign_id for each in ordered]),
        "code": ("text", [each.code for each in ordered]),
        "name_zh": ("text", [each.name_zh for each in ordered]),
        "name_en": ("text", [each.name_en for each in ordered]),
        "benefit_kind": ("text", [each[0] for each in benefits]),
        "amount_minor": ("bigint", [each[1] for each in benefits]),
        "basis_points": ("integer", [each[2] for each in benefits]),
        "ceiling_minor": ("bigint", [each[3] for each in benefits]),
        "valid_from": ("timestamptz", [each.conditions.valid_from for each in ordered]),
        "valid_until": ("timestamptz", [each.conditions.valid_until for each in ordered]),
        "conditions": ("jsonb", [conditions_json(each.conditions) for each in ordered]),
        "quantity": ("bigint", [each.limits.quantity for each in ordered]),
        "per_member": ("integer", [each.limits.per_member for each in ordered]),
        "currency": ("text", [each.currency for each in ordered]),
        "funder": ("text", [each.funder.value for each in ordered]),
        "created_at": ("timestamptz", [each.created_at for each in ordered]),
    }
    _insert_first(connection, "campaigns", "campaign_id", columns, "(code) DO NOTHING")


def _insert_first(
    connection: Connection, table: str, key: str, columns: sets.Columns, on_conflict: str
) -> None:
    """Insert rows that only one replica may make."""
    made = sets.insert_columns(
        connection, table, columns, on_conflict=on_conflict, returning=(key,)
    )
    if len(made) < len(columns[key][1]):
        raise psycopg.errors.SerializationFailure(f"another replica wrote to {table} first")


def _update_counters(connection: Connection, book: Book) -> None:
    changed = [book.stocks[key] for key in sorted(book.stocks) if book.stocks[key].changed]
    sets.update_from_columns(
        connection,
        "campaigns",
        keys={"campaign_id": ("uuid", [stock.campaign.campaign_id for stock in changed])},
        values={
            "issued": ("bigint", [stock.issued for stock in changed]),
            "reserved": ("bigint", [stock.reserved for stock in changed]),
            "redeemed": ("bigint", [stock.redeemed for stock in changed]),
        },
    )


def _insert_coupons(connection: Connection, coupons: Sequence[Coupon]) -> None:
    sets.insert_columns(
        connection,
        "coupons",
        {
            **_coupon_keys(coupons),
            "campaign_id": ("uuid", [each.campaign_id for each in coupons]),
            "ordinal": ("integer", [each.ordinal for each in coupons]),
            "issued_at": ("timestamptz", [each.issued_at for each in coupons]),
            "expires_at": ("timestamptz", [each.expires_at for each in coupons]),
            **_coupon_states(coupons),
        },
    )


def _update_coupons(connection: Connection, coupons: Sequence[Coupon]) -> None:
    sets.update_from_columns(
        connection, "coupons", keys=_coupon_keys(coupons), values=_coupon_states(coupons)
    )


def _coupon_keys(coupons: Sequence[Coupon]) -> sets.Columns:
    return {
        "member_id": ("uuid", [each.member_id for each in coupons]),
        "coupon_id": ("uuid", [each.coupon_id for each in coupons]),
    }


def _coupon_states(coupons: Sequence[Coupon]) -> sets.Columns:
    return {
        "state": ("text", [each.state.value for each in coupons]),
        "checkout_id": ("uuid", [each.checkout_id for each in coupons]),
    }


def _insert_checkouts(connection: Connection, checkouts: Sequence[Checkout]) -> None:
    columns: sets.Columns = {
        "checkout_id": ("uuid", [each.checkout_id for each in checkouts]),
        "member_id": ("uuid", [each.member_id for each in checkouts]),
        "discounts": ("jsonb", [discounts_json(each.discounts) for each in checkouts]),
        "currency": ("text", [each.currency for each in checkouts]),
        "place": ("jsonb", [place_json(each.place) for each in checkouts]),
        "reserved_at": ("timestamptz", [each.reserved_at for each in checkouts]),
        **_checkout_outcomes(checkouts),
    }
    _insert_first(connection, "reservations", "checkout_id", columns, "(checkout_id) DO NOTHING")


def _update_checkouts(connection: Connection, book: Book) -> None:
    checkouts = [book.checkouts[key] for key in sorted(book.changed_checkouts)]
    keys = {"checkout_id": ("uuid", [each.checkout_id for each in checkouts])}
    sets.update_from_columns(
        connection, "reservations", keys=keys, values=_checkout_outcomes(checkouts)
    )


def _checkout_outcomes(checkouts: Sequence[Checkout]) -> sets.Columns:
    return {
        "state": ("text", [each.state.value for each in checkouts]),
        "redeemed_at": ("timestamptz", [each.redeemed_at for each in checkouts]),
        "cancelled_at": ("timestamptz", [each.cancelled_at for each in checkouts]),
        "rolled_back_at": ("timestamptz", [each.rolled_back_at for each in checkouts]),
        "expired_coupon_ids": ("jsonb", [ids_json(each.expired_coupon_ids) for each in checkouts]),
    }


def _insert_redemptions(connection: Connection, book: Book) -> None:
    facts = book.redemptions
    sets.insert_columns(
        connection,
        "redemptions",
        {
            "member_id": ("uuid", [fact.member_id for fact in facts]),
            "coupon_id": ("uuid", [fact.coupon_id for fact in facts]),
            "checkout_id": ("uuid", [fact.checkout_id for fact in facts]),
            "campaign_id": ("uuid", [fact.campaign_id for fact in facts]),
            "amount_minor": ("bigint", [fact.amount_minor for fact in facts]),
            "currency": ("text", [fact.currency for fact in facts]),
            "funder": ("text", [fact.funder for fact in facts]),
            "merchant_id": ("uuid", [fact.merchant_id for fact in facts]),
            "redeemed_at": ("timestamptz", [fact.redeemed_at for fact in facts]),
        },
    )


def _insert_roll_backs(connection: Connection, book: Book) -> None:
    facts = book.roll_backs
    sets.insert_columns(
        connection,
        "roll_backs",
        {
            "member_id": ("uuid", [fact.member_id for fact in facts]),
            "coupon_id": ("uuid", [fact.coupon_id for fact in facts]),
            "checkout_id": ("uuid", [fact.checkout_id for fact in facts]),
            "refund_id": ("uuid", [fact.refund_id for fact in facts]),
            "restored": ("boolean", [fact.restored for fact in facts]),
            "rolled_back_at": ("timestamptz", [fact.rolled_back_at for fact in facts]),
        },
    )


def _update_members(connection: Connection, book: Book) -> None:
    changed = [book.members[key] for key in sorted(book.members) if book.members[key].changed]
    sets.update_from_columns(
        connection,
        "members",
        keys={"member_id": ("uuid", [member.member_id for member in changed])},
        values={
            "version": ("bigint", [member.version for member in changed]),
            "changed_at": ("timestamptz", [member.changed_at for member in changed]),
        },
    )
