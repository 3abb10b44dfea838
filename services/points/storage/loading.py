"""Reading the books: members, checkouts with what was posted, and lots in spend order."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from chassis.identifiers import in_order
from chassis.storage import sets
from services.points.domain.accounts import Account, Balances, Member
from services.points.domain.answers import PostAnswer, Posted
from services.points.domain.assets import Asset, EntryKind, Funder, House
from services.points.domain.earning import EarnedBy
from services.points.domain.journal import Entry, Posting
from services.points.domain.lots import Lot, NextExpiry
from services.points.domain.records import Checkout, CheckoutState
from services.points.storage import pending, purchase_facts, reversals, tables

Needs = Mapping[tuple[UUID, Asset], int]
"""How much a batch may take at most out of an account; 0 where only the first lots matter."""

EVERYTHING = 2**62
"""A need that only loading every open lot covers."""

FIRST_LOTS, LOTS_FACTOR = 4, 16
"""How many lots of an account are read at first, and by how much more where they don't suffice.

Four cover three and show what comes next; reading eight costs a tenth of a checkout's CPU more."""

_MEMBER_COLUMNS = (
    *tables.MEMBERS,
    "points_held",
    "cash_held_minor",
    "bonus_held_minor",
    "open_holds",
)
_LOT_COLUMNS = "lot_number, asset::text, amount, remaining, expired, earned_at, expires_at, held"
_SPEND_ORDER = attrgetter("order")
_CHECKOUT_COLUMNS = (
    "checkout_id",
    "member_id",
    "state::text",
    "version",
    "posted_at",
    "resolved_at",
    "programme_version",
    "points_value_minor",
    "to_pay_minor",
    "points_after",
    "cash_after_minor",
    "bonus_after_minor",
    "points_debt_after",
    "next_expiring_points_after",
    "next_expiry_after",
    "points_held_after",
    "cash_held_after_minor",
    "bonus_held_after_minor",
    "kind::text",
    "points_pending_after",
    "facts",
    "occurred_at",
    *reversals.CHECKOUT_COLUMNS,
)
_POSTING_COLUMNS = (
    "member_id",
    "version",
    "asset::text",
    "amount",
    "house::text",
    "lot_number",
    "balance_after",
    "rule",
    "funder::text",
    "basis_minor",
    "reference_id",
    "merchant_id",
    "programme_version",
)


def members(connection: Connection, ids: Sequence[UUID], *, lock: bool) -> dict[UUID, Member]:
    """Return the members of sorted `ids` that exist, their rows locked in that order if asked."""
    return ask_members(connection, ids, lock=lock)()


def ask_members(
    connection: Connection, ids: Sequence[UUID], *, lock: bool
) -> Callable[[], dict[UUID, Member]]:
    """Ask for them; in a pipeline the answer comes with its end."""
    rows = sets.select_later(
        connection, "members", {"member_id": ("uuid", ids)}, select=_MEMBER_COLUMNS, lock=lock
    )
    return lambda: {row[0]: _member(row) for row in rows()}


def _member(row: sets.Row) -> Member:
    next_expiry = None if row[7] is None else NextExpiry(row[7], row[8], row[9])
    bonus_expiry = None if row[10] is None else NextExpiry(row[10], row[10], 0)
    return Member(
        member_id=row[0],
        version=row[1],
        last_posted_at=row[2],
        last_lot_number=row[11],
        points_debt=row[6],
        points=Account(Asset.POINTS, row[3], next_expiry, held=row[15]),
        cash=Account(Asset.CASH, row[4], held=row[16]),
        bonus=Account(Asset.BONUS, row[5], bonus_expiry, held=row[17]),
        stored_holds=row[18],
        purchases=row[12],
        points_pending=row[13],
        next_maturing_at=row[14],
    )


def taken_ids(connection: Connection, table: str, column: str, ids: Iterable[UUID]) -> set[UUID]:
    """Return those of `ids` that `table` holds already."""
    keys = {column: ("uuid", in_order(set(ids)))}
    return {row[0] for row in sets.select_by_keys(connection, table, keys, select=(column,))}


def ask_checkouts(connection: Connection, ids: set[UUID]) -> sets.Rows:
    """Ask for the rows of those of `ids` that are known; in a pipeline they come with its end."""
    keys = {"checkout_id": ("uuid", in_order(ids))}
    return sets.select_later(connection, "checkouts", keys, select=_CHECKOUT_COLUMNS)


def checkouts(
    connection: Connection, rows: Sequence[sets.Row], answered: set[UUID]
) -> dict[UUID, Checkout]:
    """Return the checkouts of `rows`; those in `answered` with their entry and answer."""
    if not rows:
        return {}
    found = {
        row[0]: Checkout(
            row[0],
            row[1],
            CheckoutState(row[2]),
            resolved_at=row[5],
            returned=reversals.returned(row[22:]),
        )
        for row in rows
    }
    posted = [row for row in rows if row[0] in answered and row[3] is not None]
    entries = _entries(connection, posted)
    waiting = _waiting(connection, posted)
    for row in posted:
        checkout, entry = found[row[0]], entries[row[1], row[3]]
        facts = purchase_facts.decode(row[20]) if row[20] is not None else None
        checkout.entry = entry
        checkout.answer = _post_answer(row, entry, waiting.get((row[1], row[3]), {}), facts)
        if facts is not None:
            checkout.day = row[21].astimezone(ZoneInfo(facts.zone)).date()
    reversals.load_taken_back(connection, found.values())
    return found


def _waiting(
    connection: Connection, posted: Sequence[sets.Row]
) -> dict[tuple[UUID, int], dict[int, EarnedBy]]:
    """What posted checkouts have earned as pending, by its place in what each has earned.

    Members that had nothing pending after a checkout have earned nothing pending by it.
    """
    keys = [(row[1], row[3]) for row in posted if row[19]]
    found: dict[tuple[UUID, int], dict[int, EarnedBy]] = {}
    for row in pending.of_checkouts(connection, keys):
        each = pending.from_row(row)
        by = EarnedBy(each.rule, each.points, each.basis_minor, each.funder, each.matures_at)
        found.setdefault((row[0], row[1]), {})[each.key.line] = by
    return found


def _entries(connection: Connection, posted: Sequence[sets.Row]) -> dict[tuple[UUID, int], Entry]:
    """The entries of posted checkouts' rows, with their postings in order.

    A checkout that neither spent nor earned has an entry without postings.
    """
    entries = {
        (row[1], row[3]): Entry(row[1], row[3], EntryKind(row[18]), row[4], row[0], None, row[6])
        for row in posted
    }
    rows = sets.select_by_keys(
        connection,
        "postings",
        {
            "member_id": ("uuid", [member_id for member_id, _ in entries]),
            "version": ("bigint", [version for _, version in entries]),
        },
        select=_POSTING_COLUMNS,
        order_by="t.member_id, t.version, t.line",
    )
    for row in rows:
        entry = entries[row[0], row[1]]
        entry.merchant_id = row[11]
        entry.postings.append(_posting(row))
    return entries


def _posting(row: sets.Row) -> Posting:
    funder = None if row[8] is None else Funder(row[8])
    return Posting(Asset(row[2]), row[3], House(row[4]), row[5], row[6], row[7], funder, row[9])


def _earned(entry: Entry, waiting: Mapping[int, EarnedBy]) -> tuple[EarnedBy, ...]:
    """What a checkout has earned, in its order: its postings, with what waited in its places."""
    earned = [
        EarnedBy(posting.rule, posting.amount, posting.basis_minor, posting.funder)
        for posting in entry.postings
        if posting.house in {House.ISSUED, House.FUNDING} and posting.funder is not None
    ]
    for place, by in sorted(waiting.items()):
        earned.insert(place - 1, by)
    return tuple(earned)


def _post_answer(
    row: sets.Row,
    entry: Entry,
    waiting: Mapping[int, EarnedBy],
    facts: purchase_facts.RecordedFacts | None,
) -> PostAnswer:
    """What was answered when the checkout was posted, from its row and its postings."""
    moved = _moved(entry)
    earned = _earned(entry, waiting)
    posted = Posted(
        points_redeemed=-moved.get((Asset.POINTS, House.REDEEMED), 0),
        points_value_minor=row[7],
        cash_paid_minor=-moved.get((Asset.CASH, House.SETTLEMENT), 0),
        bonus_paid_minor=-moved.get((Asset.BONUS, House.SETTLEMENT), 0),
        to_pay_minor=row[8],
        points_earned=sum(by.points for by in earned),
        debt_collected=-moved.get((Asset.POINTS, House.DEBT), 0),
        earned_by=earned,
        programme_version=row[6],
        balances=Balances(
            row[9],
            row[10],
            row[11],
            row[12],
            row[3],
            row[13],
            row[14],
            row[15] or 0,
            row[16] or 0,
            row[17] or 0,
            row[19],
        ),
        rule_faults=facts.faults if facts else (),
    )
    return PostAnswer(row[0], row[4], posted)


def _moved(entry: Entry) -> dict[tuple[Asset, House], int]:
    """The sums of an entry's postings by asset and house account."""
    moved: dict[tuple[Asset, House], int] = {}
    for posting in entry.postings:
        key = (posting.asset, posting.house)
        moved[key] = moved.get(key, 0) + posting.amount
    return moved


def open_lots(
    connection: Connection, loaded: Mapping[UUID, Member], needs: Needs, now: datetime
) -> None:
    """Load the lots of the needed accounts that have a free part, until each need is covered.

    They come in spend order. What is due at `now` covers nothing. One lot more than needed is
    loaded, so that the first lot left is known. Hot members with very many lots cost a few more
    statements.
    """
    missing, limit = dict(needs), FIRST_LOTS
    while missing:
        found = _first_lots(connection, list(missing), limit)
        for (member_id, asset), lots in found.items():
            _put(loaded[member_id], asset, lots)
        missing = {
            key: need
            for key, need in missing.items()
            if len(found[key]) == limit
            and (found[key][-1].due(now) or _covered(found[key], now) < need)
        }
        limit *= LOTS_FACTOR


def _first_lots(
    connection: Connection, keys: Sequence[tuple[UUID, Asset]], limit: int
) -> dict[tuple[UUID, Asset], list[Lot]]:
    sql = (
        f"SELECT v.member_id, t.* FROM unnest(%s::uuid[], %s::asset[]) AS v(member_id, asset) "
        f"CROSS JOIN LATERAL (SELECT {_LOT_COLUMNS} FROM lots AS l "
        "WHERE l.member_id = v.member_id AND l.asset = v.asset AND l.open "
        "AND l.remaining > l.held "
        f"ORDER BY l.expires_at, l.earned_at, l.lot_number LIMIT {limit:d}) AS t"
    )
    rows = sets.execute(
        connection,
        sql,
        {
            "member_id": ("uuid", [member_id for member_id, _ in keys]),
            "asset": ("asset", [asset for _, asset in keys]),
        },
    )
    found: dict[tuple[UUID, Asset], list[Lot]] = {key: [] for key in keys}
    for row in rows:
        lot = _lot(row[1:])
        found[row[0], lot.asset].append(lot)
    for lots in found.values():
        lots.sort(key=_SPEND_ORDER)
    return found


def _covered(lots: Sequence[Lot], now: datetime) -> int:
    """What all lots but the last cover of a need; the last one only shows what comes next."""
    return sum(lot.free for lot in lots[:-1] if not lot.due(now))


def _put(member: Member, asset: Asset, lots: list[Lot]) -> None:
    member.account(asset).open_lots = lots
    for lot in lots:
        member.lots[lot.number] = lot


def single_lots(
    connection: Connection, loaded: Mapping[UUID, Member], numbers: Iterable[tuple[UUID, int]]
) -> None:
    """Load lots by number, exhausted ones too; those with a free part are among the open ones."""
    wanted = sorted({key for key in numbers if key[1] not in loaded[key[0]].lots})
    rows = sets.select_by_keys(
        connection,
        "lots",
        {
            "member_id": ("uuid", [member_id for member_id, _ in wanted]),
            "lot_number": ("integer", [number for _, number in wanted]),
        },
        select=("member_id", *_LOT_COLUMNS.split(", ")),
    )
    for row in rows:
        member, lot = loaded[row[0]], _lot(row[1:])
        member.lots[lot.number] = lot
        lots = member.account(lot.asset).open_lots
        if lot.free and lots is not None:
            insort(lots, lot, key=_SPEND_ORDER)


def _lot(row: Sequence[Any]) -> Lot:
    number, asset, amount, remaining, expired, earned_at, expires_at, held = row
    return Lot(number, Asset(asset), amount, remaining, expired, earned_at, expires_at, held)
