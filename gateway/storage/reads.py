"""Reads of single rows: keys at terminals, checkouts, merchants' names, counts for the books."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from gateway.domain.books import Counts
from gateway.domain.checkouts import Record, RefundRecord, Till
from gateway.domain.principals import KeyAtTerminal
from gateway.storage import records, refunds

_KEY_AT_TERMINAL = text(
    "SELECT k.key_id, k.secret_sha256, k.merchant_id, k.scopes, k.expires_at, "
    "k.revoked_at IS NOT NULL, m.category, m.accepts_stored_value, m.sells_stored_value, "
    "o.outlet_id, t.terminal_id, o.property_code, o.time_zone "
    "FROM api_keys k JOIN merchants m ON m.merchant_id = k.merchant_id "
    "LEFT JOIN terminals t ON t.terminal_id = :terminal_id "
    "LEFT JOIN outlets o ON o.outlet_id = t.outlet_id AND o.merchant_id = k.merchant_id "
    "WHERE k.key_id = :key_id"
)
_NAMES = text("SELECT merchant_id, name FROM merchants WHERE merchant_id = ANY(:ids)")
_GROSS = text("SELECT checkout_id, gross_minor FROM checkouts WHERE checkout_id = ANY(:ids)")
_COUNTS = text(
    "SELECT (SELECT count(*) FROM unfinished WHERE NOT waiting), "
    "count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3), "
    "(SELECT count(*) FROM refunds WHERE state = 2 AND whole), "
    "coalesce(sum(gross_minor) FILTER (WHERE state = 2), 0), "
    "coalesce(sum(coupons_minor) FILTER (WHERE state = 2), 0), "
    "coalesce(sum(points_redeemed), 0), coalesce(sum(stored_value_minor), 0), "
    "coalesce(sum(points_earned), 0), "
    "coalesce(sum(coupon_count) FILTER (WHERE state = 2 AND NOT EXISTS ("
    "SELECT FROM refunds r WHERE r.checkout_id = c.checkout_id AND r.state = 2 AND r.whole)), 0), "
    "(SELECT count(*) FROM refunds WHERE state = 2), "
    # Without an amount: refunded wholly, by a release that knew nothing else.
    "(SELECT coalesce(sum(coalesce(r.amount_minor, o.gross_minor - o.coupons_minor)), 0) "
    "FROM refunds r JOIN checkouts o USING (checkout_id) WHERE r.state = 2), "
    "count(*) FILTER (WHERE state = 1 AND phase = 2), "
    "coalesce(sum(points_held) FILTER (WHERE state = 1 AND phase = 2), 0), "
    "coalesce(sum(stored_value_held_minor) FILTER (WHERE state = 1 AND phase = 2), 0), "
    "coalesce(sum(coupon_count) FILTER (WHERE state = 1 AND phase = 2), 0) "
    "FROM checkouts c"
)


def key_at_terminal(
    connection: Connection, key_id: str, terminal_id: UUID | None
) -> KeyAtTerminal | None:
    """Return the key, with its till if the terminal is its merchant's; None for no such key."""
    parameters = {"key_id": key_id, "terminal_id": terminal_id}
    row = connection.execute(_KEY_AT_TERMINAL, parameters).one_or_none()
    if row is None:
        return None
    (key, digest, merchant_id, scopes, expires_at, revoked, category, accepts, sells, outlet_id,
     terminal, property_code, time_zone) = row  # fmt: skip
    known = outlet_id is not None
    return KeyAtTerminal(
        key_id=key,
        secret_sha256=bytes(digest),
        merchant_id=merchant_id,
        scopes=frozenset(scopes),
        expires_at=expires_at,
        revoked=revoked,
        category=category,
        accepts_stored_value=accepts,
        sells_stored_value=sells,
        till=Till(merchant_id, outlet_id, terminal, property_code) if known else None,
        time_zone=time_zone or "",
    )


def checkout_by_id(connection: Connection, checkout_id: UUID) -> Record | None:
    return records.by_id(connection, [checkout_id]).get(checkout_id)


def checkout_by_request(
    connection: Connection, merchant_id: UUID, request_id: str
) -> Record | None:
    key = merchant_id, request_id
    return records.by_request(connection, [key]).get(key)


def refund_by_request(
    connection: Connection, merchant_id: UUID, request_id: str
) -> RefundRecord | None:
    key = merchant_id, request_id
    return refunds.by_request(connection, [key]).get(key)


def refunds_of(connection: Connection, checkout_id: UUID) -> list[RefundRecord]:
    """Return the refunds of a checkout that happened or are under way, in order."""
    return refunds.of_checkouts(connection, [checkout_id])


def merchant_names(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the names of these merchants."""
    rows = connection.execute(_NAMES, {"ids": list(ids)})
    return {row[0]: row[1] for row in rows}


def gross_amounts(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the bills before coupons of these checkouts, minor units."""
    rows = connection.execute(_GROSS, {"ids": list(ids)})
    return {row[0]: row[1] for row in rows}


def counts(connection: Connection) -> Counts:
    """Return what all checkouts add up to, in one snapshot."""
    return Counts(*map(int, connection.execute(_COUNTS).one()))


def alive(connection: Connection) -> bool:
    """Answer True; for the health probe."""
    return bool(connection.execute(text("SELECT true")).scalar_one())
