"""The ledger's repository: loads, locks and saves the books of one batch in sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.identifiers import in_order
from chassis.storage import sets
from chassis.telemetry.metrics import counter
from services.points.domain.accounts import Member
from services.points.domain.answers import Posted
from services.points.domain.assets import Asset, House
from services.points.domain.books import Books
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    Command,
    ImportBalance,
    PostCheckout,
    ReverseCheckout,
    TopUpStoredValue,
    WarnExpiring,
    members_of,
)
from services.points.domain.maturing import of_checkout
from services.points.domain.movements import Movements, MovementTerms
from services.points.domain.programme import Programmes
from services.points.domain.warnings import horizons
from services.points.storage import (
    extensions,
    holds,
    imports,
    limits,
    loading,
    movements,
    pending,
    programmes,
    saving,
    saving_movements,
    warnings,
)

EVERYTHING = loading.EVERYTHING

RULE_FAULTS = counter(
    "huitouke_points_rule_faults_total",
    "Checkouts that went on without a rule because its condition failed, by the rule's code.",
    ("rule",),
)
MEMBERS_KNOWN_MAX: Final = 100_000
"""Members whose row is known to be there: of some 100 bytes each, they take ten megabytes."""

_log = structlog.get_logger(__name__)
_ON_CHECKOUTS = (PostCheckout, CancelPost, ReverseCheckout)
_UNIQUE_FOR_EVER: Final = {
    "checkouts_pkey",
    "top_ups_pkey",
    "reversals_pkey",
    "holds_unique_for_ever",
    "holds_open_checkout",
    "imported_rows_pkey",
    *movements.UNIQUE_FOR_EVER,
}


class PointsRepository:
    """Repository[Command, Books].

    The clock only tells which lots are due when they are loaded; what is decided is decided by
    the executor's `now`. Versions of the programme are immutable, so they are kept between
    batches; newer ones are read in each. So are the ids of members who are known to be there, since
    their rows stay: what is inserted for nothing costs the server as much as what is new.
    """

    saves_blindly = True
    unique_for_ever = _UNIQUE_FOR_EVER

    def __init__(self, clock: Clock, terms: MovementTerms | None = None) -> None:
        self._clock = clock
        self._terms = terms or MovementTerms()
        self._programmes = Programmes()
        self._there: set[UUID] = set()

    def lock(self, connection: Connection, commands: Sequence[Command]) -> Books:
        """Insert missing members and lock all of the batch in the order of their ids.

        New versions of the programme are read on the way, since they are immutable.
        """
        with sets.pipelined(connection):
            locked = self.lock_later(connection, commands)
        return locked()

    def lock_later(
        self, connection: Connection, commands: Sequence[Command]
    ) -> Callable[[], Books]:
        """Do the same in the round trip under way, with what its commands' ids are known as."""
        ids = in_order({member_id for command in commands for member_id in members_of(command)})
        there = self._there
        new = [member_id for member_id in ids if member_id not in there]
        newer = programmes.ask_newer(connection, self._programmes)
        sets.insert_columns(
            connection, "members", {"member_id": ("uuid", new)}, on_conflict="DO NOTHING"
        )
        locked = loading.ask_members(connection, ids, lock=True)
        known = loading.ask_checkouts(connection, _checkout_ids(commands))

        def books() -> Books:
            programmes.add_newer(newer, self._programmes)
            members = locked()
            if len(members) != len(ids):
                self._there = set()
                raise psycopg.errors.SerializationFailure("a member's row has gone: insert it anew")
            return _LockedBooks(
                members,
                self._programmes.known_now(),
                not_before=_last_posting(members),
                movements=Movements(self._terms),
                known=known(),
            )

        return books

    def load(self, connection: Connection, state: Books, commands: Sequence[Command]) -> None:
        """Read what the commands need: known ids, checkouts, holds, lots."""
        assert isinstance(state, _LockedBooks), "books are locked before they are loaded"
        now = self._clock.now()
        load_books(connection, state, commands, now, known=state.known, lock=True)

    def save(self, connection: Connection, state: Books) -> None:
        """Write what changed, without waiting for any of it."""
        changes = state.changes
        changed = dict.fromkeys(changes.members())
        holds_changed = bool(changes.new_holds or changes.resolved_holds)
        with sets.pipelined(connection):
            saving.insert_postings(connection, changes.entries)
            saving.insert_lots(connection, changes.new_lots)
            saving.update_lots(connection, changes.touched_lots)
            saving.insert_posted(connection, changes.posted)
            saving.insert_fences(connection, changes.fenced)
            saving.insert_reversals(connection, changes.reversed)
            saving.update_reversed(connection, changes.reversed_checkouts)
            saving.insert_top_ups(connection, changes.top_ups)
            pending.save(connection, changes)
            limits.save(connection, state.limits)
            warnings.insert_warned(connection, changes.warned)
            if changes.extensions:
                extensions.save(connection, changes)
            imports.insert_imported(connection, changes.imported)
            saving_movements.save(connection, changes.movements)
            if holds_changed:
                holds.save(connection, changes)
            members = [state.members[each] for each in changed]
            saving.update_members(connection, members, holds=holds_changed)

    def committed(self, state: Books) -> None:
        """Tell operators of rules that were left out, and note which members are there."""
        for record in state.changes.posted:
            answer = record.checkout.answer
            if answer is not None and answer.posted.rule_faults:
                _report_faults(answer.posted)
        if len(self._there) > MEMBERS_KNOWN_MAX:
            self._there = set()
        self._there.update(state.members)


def _report_faults(posted: Posted) -> None:
    """Count and log them; what a guest bought is not the operators' business."""
    for fault in posted.rule_faults:
        RULE_FAULTS.prometheus.labels(fault.rule).inc()
        _log.warning(
            "rule.failed",
            rule=fault.rule,
            programme_version=posted.programme_version,
            problem=fault.message,
        )


@dataclass(slots=True)
class _LockedBooks(Books):
    """Books with the rows of the batch's checkouts, which were read behind the locks."""

    known: Sequence[sets.Row] = ()


def load_books(
    connection: Connection,
    books: Books,
    commands: Sequence[Command],
    now: datetime,
    *,
    known: Sequence[sets.Row],
    lock: bool = False,
) -> None:
    """Read into `books` what deciding `commands` needs, in a fixed number of statements.

    Earning loads no lots; spending loads them until the batch's need is covered; a member with
    something due at `now` gets its first lots in any case. Holds and their lots are loaded only
    for members who have any. `known` has the rows of those of the commands' checkouts that there
    are. `lock` is for those who will save.
    """
    now = max(now, books.not_before or now)
    _load_known_ids(connection, books, commands, known)
    pins = holds.load(connection, books, commands, now)
    _load_pending(connection, books, commands, now)
    limits.load(connection, books, commands, lock=lock)
    movements.load(connection, books, commands, now)
    until = extensions.horizons(books, commands, now)
    needs = _needs(books, commands, now, until)
    for hold_id in pins:
        hold = books.holds[hold_id]
        for asset in Asset:
            if hold.held.of(asset):
                needs.setdefault((hold.member_id, asset), 0)
    loading.open_lots(connection, books.members, needs, _horizon(commands, now))
    _load_warned(connection, books, commands)
    singly = _lots_to_reverse(books, commands) + holds.lots_of(books, pins)
    if holding := extensions.holding(books, until):
        singly += extensions.held_lots(connection, holding)
    loading.single_lots(connection, books.members, singly)
    movements.load_sold(connection, books, commands)
    holds.attach(books, pins)


def read_books(connection: Connection, command: Command, known: Programmes, now: datetime) -> Books:
    """Read the books for one command without locking; for questions, in one snapshot.

    A member that does not exist is one with nothing.
    """
    if isinstance(command, PostCheckout):
        programmes.read_newer(connection, known)
    (member_id,) = members_of(command)
    found = loading.members(connection, [member_id], lock=False)
    members = found or {member_id: Member(member_id)}
    books = Books(members, known.known_now(), not_before=_last_posting(members))
    checkouts = loading.ask_checkouts(connection, _checkout_ids([command]))
    load_books(connection, books, [command], now, known=checkouts())
    return books


def _horizon(commands: Sequence[Command], now: datetime) -> datetime:
    """Until which expiry lots are loaded in any case: those due, or those to be warned of."""
    zones = {each.zone for each in commands if isinstance(each, WarnExpiring)}
    return max([now, *(max(horizons(now, zone).values()) for zone in zones)])


def _load_warned(connection: Connection, books: Books, commands: Sequence[Command]) -> None:
    members = [each.member_id for each in commands if isinstance(each, WarnExpiring)]
    if members:
        books.warned = warnings.told(connection, members)


def _last_posting(members: dict[UUID, Member]) -> datetime | None:
    posted = [member.last_posted_at for member in members.values() if member.last_posted_at]
    return max(posted, default=None)


def _checkout_ids(commands: Sequence[Command]) -> set[UUID]:
    """The checkout ids that the commands name or may take."""
    ids = {each.checkout_id for each in commands if isinstance(each, _ON_CHECKOUTS)}
    for each in commands:
        if isinstance(each, CaptureHold):
            ids.add(each.hold_id)
        elif isinstance(each, AuthorizeHold):
            ids.add(each.checkout_id or each.hold_id)
    return ids


def _load_known_ids(
    connection: Connection, books: Books, commands: Sequence[Command], known: Sequence[sets.Row]
) -> None:
    reverses = [each for each in commands if isinstance(each, ReverseCheckout)]
    top_ups = [each.top_up_id for each in commands if isinstance(each, TopUpStoredValue)]
    answered = {
        each.checkout_id for each in commands if isinstance(each, CancelPost | ReverseCheckout)
    }
    ids = _checkout_ids(commands) if known else set()
    books.checkouts = loading.checkouts(
        connection, [row for row in known if row[0] in ids], answered
    )
    books.top_up_ids = loading.taken_ids(connection, "top_ups", "top_up_id", top_ups)
    reversal_ids = [each.reversal_id for each in reverses]
    books.reversal_ids = loading.taken_ids(connection, "reversals", "reversal_id", reversal_ids)
    rows = [each for each in commands if isinstance(each, ImportBalance)]
    books.imported = imports.known_rows(connection, rows)


def _load_pending(
    connection: Connection, books: Books, commands: Sequence[Command], now: datetime
) -> None:
    reverses = [each for each in commands if isinstance(each, ReverseCheckout)]
    found = [books.checkouts.get(each.checkout_id) for each in reverses]
    checkouts = [
        (each.member_id, each.entry.version)
        for each in found
        if each is not None
        and each.entry is not None
        and each.answer is not None
        and each.answer.posted.points_pending
        and each.member_id in books.members
    ]
    members = {each.member_id for each in reverses}
    pending.load(connection, books.members, members, checkouts, now)


def _needs(
    books: Books, commands: Sequence[Command], now: datetime, until: Mapping[UUID, datetime]
) -> dict[tuple[UUID, Asset], int]:
    """How much the batch may take at most out of each account that needs its lots loaded."""
    needs: dict[tuple[UUID, Asset], int] = {}

    def add(member_id: UUID, asset: Asset, amount: int) -> None:
        needs[member_id, asset] = needs.get((member_id, asset), 0) + amount

    for command in commands:
        if isinstance(command, AuthorizeHold | PostCheckout):
            points, stored_value = _tendered(command)
            if points:
                add(command.member_id, Asset.POINTS, points)
            if stored_value:
                add(command.member_id, Asset.CASH, stored_value)
                add(command.member_id, Asset.BONUS, stored_value)
        elif isinstance(command, ReverseCheckout):
            add(command.member_id, Asset.POINTS, _earned(books, command))
            add(command.member_id, Asset.CASH, 0)
            add(command.member_id, Asset.BONUS, 0)
        elif isinstance(command, WarnExpiring):
            add(command.member_id, Asset.POINTS, 0)
            add(command.member_id, Asset.BONUS, 0)
    for member_id, asset, amount in movements.needs(books, commands):
        add(member_id, asset, amount)
    for member_id, wholly in extensions.to_extend(books, commands, until):
        add(member_id, Asset.POINTS, EVERYTHING if wholly else 0)
    for member in books.members.values():
        for asset in _assets_due(member, now):
            add(member.member_id, asset, 0)
    return needs


def _tendered(command: AuthorizeHold | PostCheckout) -> tuple[int, int]:
    """Points and stored value that a command takes out of what is free; pinned parts it knows."""
    if isinstance(command, AuthorizeHold):
        return command.points, command.stored_value_minor
    if command.hold_id is None:
        return command.purchase.redeem_points, command.purchase.pay_stored_value_minor
    return 0, 0


def _assets_due(member: Member, now: datetime) -> set[Asset]:
    """The assets of which something expires or matures by `now`."""
    due = {
        account.asset
        for account in (member.points, member.bonus)
        if account.next_expiry is not None and account.next_expiry.expires_at <= now
    }
    if member.next_maturing_at is not None and member.next_maturing_at <= now:
        due.add(Asset.POINTS)
    return due


def _earned(books: Books, command: ReverseCheckout) -> int:
    """What a reversal may take back; all there is where the checkout is of the same batch."""
    checkout = books.checkouts.get(command.checkout_id)
    if checkout is None or checkout.entry is None:
        return EVERYTHING
    postings = checkout.entry.postings
    earned = sum(each.amount for each in postings if each.house in {House.ISSUED, House.FUNDING})
    return earned + (checkout.answer.posted.points_pending if checkout.answer else 0)


def _lots_to_reverse(books: Books, commands: Sequence[Command]) -> list[tuple[UUID, int]]:
    """The lots that the checkouts to be reversed have spent from or earned into."""
    numbers = []
    for command in commands:
        if isinstance(command, ReverseCheckout):
            checkout = books.checkouts.get(command.checkout_id)
            entry = checkout.entry if checkout else None
            if entry is not None and entry.member_id == command.member_id:
                numbers += [
                    (entry.member_id, posting.lot_number)
                    for posting in entry.postings
                    if posting.lot_number is not None
                ]
                numbers += [
                    (entry.member_id, each.lot_number)
                    for each in of_checkout(books.members[entry.member_id], entry.version)
                    if each.lot_number is not None
                ]
    return numbers
