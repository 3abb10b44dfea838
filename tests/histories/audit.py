"""The invariants, computed from immutable postings alone, whatever the model thinks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from huitouke.points.v1 import events_pb2
from huitouke.points.v1.purchase_pb2 import FUNDER_ISSUER, FUNDER_MERCHANT

from services.points.domain.journal import Entry
from tests.histories.services import LotRow, MemberRow, Told

FOREVER = datetime.max.replace(tzinfo=UTC)
SPENT = {"REDEEMED", "SETTLEMENT"}
TAKEN = {*SPENT, "TRANSFER", "ADJUSTED", "CASH_OUT", "BREAKAGE"}
"""What is taken out in spend order, where it is not a top-up that goes back as it came."""
HEARD = {"CheckoutPosted", "CheckoutReversed", "HoldCaptured", "HoldReleased", "HoldExpired"}
EARNED, BOUGHT = {"ISSUED", "FUNDING", "DEBT"}, {"REDEEMED", "SETTLEMENT"}
HOUSES = {
    "CHECKOUT": EARNED | BOUGHT,
    "CAPTURE": BOUGHT,
    "REVERSAL": EARNED | BOUGHT,
    "MATURING": EARNED,
    "TOP_UP": {"CASH_IN", "ISSUED"},
    "TOP_UP_REFUND": {"CASH_OUT", "ISSUED"},
    "WITHDRAWAL": {"CASH_OUT", "ISSUED", "BREAKAGE"},
    "EXPIRY": {"EXPIRED"},
    "TRANSFER": {"TRANSFER"},
    "ADJUSTMENT": {"ADJUSTED"},
    "IMPORT": {"CASH_IN", "ISSUED"},
}
"""What an entry of each kind may be posted against."""
EXTENDED = "PointsExtended"
ALONE = [[EXTENDED, "CheckoutPosted"], [EXTENDED, "HoldCaptured"]]
"""Activity that nothing else happened together with."""
Key = tuple[UUID, str]


class Audit:
    """Reads each posting once, in order, and keeps its own books by member, lot and house."""

    def __init__(self) -> None:
        self.versions: dict[UUID, int] = defaultdict(int)
        self.balances: dict[Key, int] = defaultdict(int)
        self.houses: dict[tuple[str, str], int] = defaultdict(int)
        self.in_lots: dict[tuple[UUID, int], int] = defaultdict(int)
        self.debts: dict[UUID, int] = defaultdict(int)
        self._spent: dict[UUID, Counter[int | None]] = defaultdict(Counter)
        self._undoes: dict[UUID, UUID] = {}
        self._whole: dict[UUID, bool] = {}
        self._ended: set[str] = set()
        self._from_holds: set[UUID] = set()
        self._ends: dict[tuple[UUID, int], datetime | None] = {}

    def read(
        self,
        entries: Sequence[Entry],
        events: Sequence[Told],
        lots: Mapping[UUID, Sequence[LotRow]],
    ) -> None:
        """Take new entries and events in, with the lots of their members as they are afterwards."""
        for event in events:
            assert event.version == self.versions[event.member_id] + 1, "a gap between versions"
            self.versions[event.member_id] = event.version
            self._hear(event)
        self._check_lives(events, lots)
        told = Counter(each.member_id for each in events if not _is(each, EXTENDED))
        for entry in entries:
            self._read_entry(entry)
            ordered = entry.kind != "TOP_UP_REFUND" and entry.reference_id not in self._from_holds
            if ordered and told[entry.member_id] == 1:
                self._check_spending(entry, lots[entry.member_id])
            self._check_reversal(entry)

    def _hear(self, event: Told) -> None:
        """What events say that postings do not: what undoes what, and how each hold has ended."""
        name = event.kind.rpartition(".")[2]
        if name not in HEARD:
            return
        message = getattr(events_pb2, name).FromString(event.payload)
        if name == "CheckoutReversed":
            self._undoes[UUID(message.reversal_id)] = UUID(message.checkout_id)
            self._whole[UUID(message.reversal_id)] = message.whole
        elif message.hold_id:
            assert message.hold_id not in self._ended, "a hold ends once"
            self._ended.add(message.hold_id)
            self._from_holds.add(UUID(getattr(message, "checkout_id", "") or message.hold_id))

    def _check_lives(self, events: Sequence[Told], lots: Mapping[UUID, Sequence[LotRow]]) -> None:
        """Only an extension changes when a lot ends: to its own instant, which is a later one.

        After an activity by itself nothing that can be spent ends before that instant.
        """
        until: dict[UUID, set[datetime]] = defaultdict(set)
        for each in filter(lambda told: _is(told, EXTENDED), events):
            message = events_pb2.PointsExtended.FromString(each.payload)
            ends = message.expires_at.ToDatetime(tzinfo=UTC)
            assert message.extended_at.ToDatetime(tzinfo=UTC) < ends
            until[each.member_id].add(ends)
        for member_id, rows in lots.items():
            for lot in rows:
                known = self._ends.setdefault((member_id, lot.number), lot.expires_at)
                if lot.expires_at != known:
                    assert lot.asset == "POINTS"
                    assert known is not None, "a lot without an end was given one"
                    assert lot.expires_at is not None, "an end was taken from a lot"
                    assert known < lot.expires_at, "a lot ends sooner"
                    assert lot.expires_at in until[member_id], "nothing says why a lot ends later"
                    self._ends[member_id, lot.number] = lot.expires_at
        for member_id, horizons in until.items():
            kinds = [each.kind.rpartition(".")[2] for each in events if each.member_id == member_id]
            if kinds in ALONE:
                over = [
                    lot
                    for lot in lots[member_id]
                    if lot.asset == "POINTS"
                    and lot.remaining > lot.held
                    and (lot.expires_at or FOREVER) < min(horizons)
                ]
                assert not over, f"{over} were left behind"

    def _read_entry(self, entry: Entry) -> None:
        member = entry.member_id
        for posting in entry.postings:
            asset, house = str(posting.asset), str(posting.house)
            assert house in HOUSES[str(entry.kind)], f"{entry.kind} against {house}"
            self.balances[member, asset] += posting.amount
            self.houses[asset, house] -= posting.amount
            assert self.balances[member, asset] == posting.balance_after >= 0
            if posting.lot_number is not None:
                self.in_lots[member, posting.lot_number] += posting.amount
                assert self.in_lots[member, posting.lot_number] >= 0, "a lot below zero"
            if house == "DEBT":
                self.debts[member] += posting.amount
        assert entry.version <= self.versions[member], "an entry that no event tells of"

    def _check_spending(self, entry: Entry, lots: Sequence[LotRow]) -> None:
        """What was spent came from no lot that was over, and nothing was free before the last.

        Not asked of what a hold spends, nor where several events came together, since lots are
        known as they are after all of them; that the model agrees must do there.
        """
        by_number = {lot.number: lot for lot in lots}
        for asset in {str(posting.asset) for posting in entry.postings}:
            numbers = {
                posting.lot_number
                for posting in entry.postings
                if posting.asset == asset and posting.amount < 0 and posting.house in TAKEN
            }
            spent = [by_number[number] for number in numbers if number is not None]
            assert all((lot.expires_at or FOREVER) > entry.posted_at for lot in spent), "over"
            put = {posting.lot_number for posting in entry.postings if posting.amount > 0}
            last = max((_order(lot) for lot in spent), default=None)
            left = [
                lot
                for lot in lots
                if last is not None
                and lot.asset == asset
                and _order(lot) < last
                and lot.number not in put  # earned by this very purchase
                and self.in_lots[entry.member_id, lot.number] > lot.held
            ]
            assert not left, f"{left} were open while later ones were spent"

    def _check_reversal(self, entry: Entry) -> None:
        """What a reversal restores lies in the lots it was spent from, to the last point."""
        moved: Counter[int | None] = Counter()
        for posting in entry.postings:
            if posting.house in SPENT:
                moved[posting.lot_number] += posting.amount
        if entry.kind in {"CHECKOUT", "CAPTURE"}:
            self._spent[entry.reference_id or entry.member_id] = moved
        elif entry.kind == "REVERSAL":
            assert entry.reference_id is not None
            spent = self._spent[self._undoes[entry.reference_id]]
            spent.update(moved)
            assert all(left <= 0 for left in spent.values()), "more restored than was spent"
            if self._whole[entry.reference_id]:
                assert not any(spent.values()), "reversed wholly, but not restored"

    def check_member(
        self,
        member_id: UUID,
        row: MemberRow,
        lots: Sequence[LotRow],
        pins: Mapping[int, int],
    ) -> None:
        """Stored balances = own postings = open lots; held = pinned; nothing negative."""
        open_lots = dict.fromkeys(("POINTS", "CASH", "BONUS"), 0)
        held = dict.fromkeys(open_lots, 0)
        for lot in lots:
            assert 0 <= lot.held <= lot.remaining <= lot.amount
            assert lot.held == pins.get(lot.number, 0), "held is not what is pinned"
            held[lot.asset] += lot.held
            assert lot.remaining == self.in_lots[member_id, lot.number]
            open_lots[lot.asset] += lot.remaining
        stored = {"POINTS": row.points, "CASH": row.cash, "BONUS": row.bonus}
        assert stored == open_lots
        assert stored == {asset: self.balances[member_id, asset] for asset in stored}
        assert (row.points_held, row.cash_held, row.bonus_held) == tuple(held.values())
        assert row.points_debt == self.debts[member_id] >= 0
        assert row.version == self.versions[member_id]

    def check_funders(self, funded: Mapping[int, int]) -> None:
        """The points that each funder has given, less what was taken back, are posted as theirs."""
        assert -self.houses["POINTS", "ISSUED"] == funded.get(FUNDER_ISSUER, 0)
        assert -self.houses["POINTS", "FUNDING"] == funded.get(FUNDER_MERCHANT, 0)

    def check_houses(self, members: Iterable[MemberRow]) -> None:
        """For each asset: stored balances of all members + house totals = 0."""
        totals: dict[str, int] = defaultdict(int)
        for row in members:
            totals["POINTS"] += row.points
            totals["CASH"] += row.cash
            totals["BONUS"] += row.bonus
        for (asset, _), total in list(self.houses.items()):
            totals[asset] += total
        assert not any(totals.values()), totals
        assert not self.houses["POINTS", "TRANSFER"], "points were lost on their way"


def _order(lot: LotRow) -> tuple[Any, ...]:
    return (lot.expires_at or FOREVER, lot.earned_at, lot.number)


def _is(told: Told, name: str) -> bool:
    return told.kind.rpartition(".")[2] == name
