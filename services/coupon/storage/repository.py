"""Loading, locking and saving the book of one batch, in sets."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection

from chassis.identifiers import in_order
from chassis.storage import sets
from chassis.storage.arrays import array_literal
from services.coupon.domain.book import Book, CouponKey, Member
from services.coupon.domain.campaigns import Stock
from services.coupon.domain.checkouts import CheckoutState
from services.coupon.domain.commands import (
    CancelReservation,
    CheckoutCommand,
    ClaimCoupon,
    Command,
    CreateCampaign,
    MemberCommand,
    Redeem,
    Reserve,
    RollBack,
)
from services.coupon.storage.rows import (
    CHECKOUT_COLUMNS,
    COUPON_COLUMNS,
    STOCK_COLUMNS,
    to_checkout,
    to_coupon,
    to_stock,
)
from services.coupon.storage.saving import save_book

_MAY_STILL_MOVE = {
    Redeem: frozenset({CheckoutState.RESERVED}),
    CancelReservation: frozenset({CheckoutState.RESERVED}),
    RollBack: frozenset({CheckoutState.RESERVED, CheckoutState.REDEEMED}),
}
"""In which states of its checkout a command may move coupons, in its batch's order or later."""

_SELECT_STOCKS = (
    f"SELECT {', '.join(STOCK_COLUMNS)} FROM campaigns "
    "WHERE campaign_id = ANY(%s::uuid[]) OR code = ANY(%s::text[])"
)
_SELECT_ISSUED = """
    SELECT v.member_id, v.campaign_id, newest.ordinal
    FROM unnest(%s::uuid[], %s::uuid[]) AS v(member_id, campaign_id)
    CROSS JOIN LATERAL (
        SELECT c.ordinal FROM coupons AS c
        WHERE c.member_id = v.member_id AND c.campaign_id = v.campaign_id
        ORDER BY c.ordinal DESC LIMIT 1
    ) AS newest
"""


class CouponRepository:
    """Repository of the executor.

    Members are locked first; whatever a member owns is guarded by that lock. Campaign rows are
    locked after them, in the order of their ids, and only those whose counters a command of the
    batch may change, so that claims of different campaigns and all replays pass each other.
    """

    def lock(self, connection: Connection, commands: Sequence[Command]) -> Book:
        """Insert missing members and lock all members of the batch."""
        with sets.pipelined(connection):
            locked = self.lock_later(connection, commands)
        return locked()

    def lock_later(self, connection: Connection, commands: Sequence[Command]) -> Callable[[], Book]:
        """Do the same in the round trip under way."""
        ids = in_order({each.member_id for each in commands if isinstance(each, MemberCommand)})
        keys: sets.Columns = {"member_id": ("uuid", ids)}
        sets.insert_columns(connection, "members", keys, on_conflict="DO NOTHING")
        columns = ("member_id", "version", "changed_at")
        rows = sets.select_later(connection, "members", keys, select=columns, lock=True)

        def book() -> Book:
            members = {row[0]: Member(*row) for row in rows()}
            changed = [each.changed_at for each in members.values() if each.changed_at is not None]
            return Book(members=members, not_before=max(changed, default=None))

        return book

    def load(self, connection: Connection, book: Book, commands: Sequence[Command]) -> None:
        """Read what the commands name, then lock the campaigns whose counters may change."""
        _load_checkouts(connection, book, commands)
        _load_coupons(connection, book, set(_coupons_to_move(book, commands)))
        _load_stocks(connection, book, commands)
        _lock_stocks(connection, book, commands)
        _load_issued(connection, book, commands)

    def save(self, connection: Connection, book: Book) -> None:
        """Write what changed."""
        save_book(connection, book)


def _load_checkouts(connection: Connection, book: Book, commands: Sequence[Command]) -> None:
    ids = {each.checkout_id for each in commands if isinstance(each, CheckoutCommand)}
    keys = {"checkout_id": ("uuid", in_order(ids))}
    rows = sets.select_by_keys(connection, "reservations", keys, select=CHECKOUT_COLUMNS)
    book.checkouts = {row[0]: to_checkout(row) for row in rows}


def _coupons_to_move(book: Book, commands: Sequence[Command]) -> Iterator[CouponKey]:
    """Yield the coupons that the commands may move."""
    for command in commands:
        if not isinstance(command, CheckoutCommand):
            continue
        known = book.checkouts.get(command.checkout_id)
        if isinstance(command, Reserve):
            if known is None:
                yield from ((command.member_id, each.coupon_id) for each in command.expected)
        elif known is not None and known.state in _MAY_STILL_MOVE[type(command)]:
            yield from ((known.member_id, each) for each in known.coupon_ids)


def _load_coupons(connection: Connection, book: Book, keys: Iterable[CouponKey]) -> None:
    """Read coupons of locked members; another member's checkout is refused without them."""
    ordered = sorted(key for key in keys if key[0] in book.members)
    columns = {
        "member_id": ("uuid", [member_id for member_id, _ in ordered]),
        "coupon_id": ("uuid", [coupon_id for _, coupon_id in ordered]),
    }
    rows = sets.select_by_keys(connection, "coupons", columns, select=COUPON_COLUMNS)
    book.coupons = {(row[0], row[1]): to_coupon(row) for row in rows}


def _load_stocks(connection: Connection, book: Book, commands: Sequence[Command]) -> None:
    codes = {each.campaign_code for each in commands if isinstance(each, ClaimCoupon)}
    codes |= {each.code for each in commands if isinstance(each, CreateCampaign)}
    ids = {coupon.campaign_id for coupon in book.coupons.values()}
    if codes or ids:
        arrays = [
            array_literal("uuid", sorted(ids)),
            array_literal("text", sorted(codes)),
        ]
        cursor = sets.driver(connection).execute(_SELECT_STOCKS, arrays, prepare=True, binary=True)
        book.hold(to_stock(row) for row in cursor)


def _lock_stocks(connection: Connection, book: Book, commands: Sequence[Command]) -> None:
    """Lock the rows that may change and take their counters as they are now."""
    ids = {coupon.campaign_id for coupon in book.coupons.values()}
    ids |= {stock.campaign.campaign_id for stock in _claimable(book, commands)}
    rows = sets.select_by_keys(
        connection,
        "campaigns",
        {"campaign_id": ("uuid", sorted(ids))},
        select=("campaign_id", "issued", "reserved", "redeemed"),
        lock=True,
    )
    for campaign_id, issued, reserved, redeemed in rows:
        stock = book.stocks[campaign_id]
        stock.issued, stock.reserved, stock.redeemed = issued, reserved, redeemed
        stock.locked = True


def _claimable(book: Book, commands: Sequence[Command]) -> Iterator[Stock]:
    """Yield the claimed campaigns that still have coupons; an exhausted one stays exhausted."""
    for command in commands:
        if isinstance(command, ClaimCoupon):
            stock = book.stock_of_code(command.campaign_code)
            if stock is not None and not stock.exhausted:
                yield stock


def _load_issued(connection: Connection, book: Book, commands: Sequence[Command]) -> None:
    """Count what claiming members already got, under their locks."""
    pairs: set[tuple[UUID, UUID]] = set()
    for command in commands:
        if isinstance(command, ClaimCoupon):
            stock = book.stock_of_code(command.campaign_code)
            if stock is not None:
                pairs.add((command.member_id, stock.campaign.campaign_id))
    ordered = sorted(pairs)
    columns = {
        "member_id": ("uuid", [member_id for member_id, _ in ordered]),
        "campaign_id": ("uuid", [campaign_id for _, campaign_id in ordered]),
    }
    rows = sets.execute(connection, _SELECT_ISSUED, columns)
    book.issued = {(row[0], row[1]): row[2] for row in rows}
