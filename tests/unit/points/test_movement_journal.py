"""What adjustments and transfers leave in the journal and among the records, field by field."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from services.points.domain.accounts import Balances
from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.journal import Entry, Posting
from services.points.domain.movement_answers import (
    AdjustAnswer,
    ApproveAnswer,
    RejectAnswer,
    TransferAnswer,
)
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    PutTransferGroup,
    RejectAdjustment,
    TransferPoints,
)
from services.points.domain.movement_events import (
    BalanceAdjusted,
    PointsTransferred,
    TransferDirection,
)
from services.points.domain.movements import (
    Adjustment,
    AdjustmentState,
    MovementTerms,
    Transfer,
    TransferGroup,
)
from tests.unit.points.families import Family, card
from tests.unit.points.journals import (
    HOUR,
    ID,
    entry_of,
    lot_facts,
)
from tests.unit.points.worlds import SHANGHAI, START

# Adjustments


def adjustment(home: Family, amount: int, asset: Asset = Asset.POINTS) -> AdjustBalance:
    return AdjustBalance(ID, home.ids[0], asset, amount, "GOODWILL", "noise", "S1")


def as_asked(home: Family, amount: int, asset: Asset = Asset.POINTS) -> Adjustment:
    return Adjustment(ID, home.ids[0], asset, amount, "GOODWILL", "noise", "S1", START)


def test_an_adjustment_gives_a_lot_against_adjusted_and_says_why() -> None:
    home = card()
    me = home.ids[0]
    done = home.decided(adjustment(home, 500))
    ends = START.replace(year=2028, month=3, day=31, hour=16)
    balances = Balances(500, 0, 0, 0, 1, 500, ends)
    assert done.answer == AdjustAnswer(ID, START, balances)
    assert entry_of(done) == Entry(
        me,
        1,
        EntryKind.ADJUSTMENT,
        START,
        ID,
        None,
        1,
        [Posting(Asset.POINTS, 500, House.ADJUSTED, 1, 500, "GOODWILL")],
    )
    booked = as_asked(home, 500)
    booked.state, booked.decided_at, booked.version = AdjustmentState.BOOKED, START, 1
    assert done.changes.movements.adjustments == [booked]
    assert done.changes.movements.decided == {}
    assert home.books.movements.adjusted == {(me, Asset.POINTS): [(START, 500)]}
    assert done.events == [
        BalanceAdjusted(me, ID, START, Asset.POINTS, 500, "GOODWILL", "S1", None, "CNY", balances)
    ]


def test_an_adjustment_takes_lot_by_lot_and_remembers_what_gift_it_took() -> None:
    home = card()
    me = home.ids[0]
    for _ in range(2):
        home.top_up(me, 50_000)
    done = home.decided(adjustment(home, -4_000, Asset.BONUS))
    assert entry_of(done).postings == [
        Posting(Asset.BONUS, -3_000, House.ADJUSTED, 2, 3_000, "GOODWILL"),
        Posting(Asset.BONUS, -1_000, House.ADJUSTED, 4, 2_000, "GOODWILL"),
    ]
    assert sorted(done.changes.touched_lots) == [(me, 2), (me, 4)]
    assert home.books.movements.taken_by_hand == {(me, 2): 3_000, (me, 4): 1_000}
    more = AdjustBalance(uuid4(), me, Asset.BONUS, -500, "GOODWILL", "", "S1")
    home.do(more)
    assert home.books.movements.taken_by_hand == {(me, 2): 3_000, (me, 4): 1_500}
    home.check()


def test_a_second_person_books_or_rejects_what_waits_and_is_named() -> None:
    for approves in (True, False):
        home = card()
        me = home.ids[0]
        waits = home.decided(adjustment(home, 10_001))
        assert waits.answer == AdjustAnswer(ID, None, Balances(0, 0, 0, 0, 0, 0, None))
        assert (waits.changes.entries, waits.events) == ([], [])
        assert waits.changes.movements.adjustments == [as_asked(home, 10_001)]
        assert home.books.movements.adjusted == {}
        home.now += HOUR
        decided = as_asked(home, 10_001)
        decided.decided_by, decided.decided_at = "S2", home.now
        if approves:
            done = home.decided(ApproveAdjustment(me, ID, "S2"))
            decided.state, decided.version = AdjustmentState.BOOKED, 1
            assert done.answer == ApproveAnswer(ID, home.now, done.answer.balances)
            assert (done.answer.balances.points, entry_of(done).version) == (10_001, 1)
            assert home.books.movements.adjusted == {}
        else:
            done = home.decided(RejectAdjustment(me, ID, "S2"))
            decided.state = AdjustmentState.REJECTED
            assert done.answer == RejectAnswer(ID, home.now)
            assert (done.changes.entries, done.events) == ([], [])
        assert done.changes.movements.decided == {ID: decided}
        assert done.changes.movements.adjustments == []


def test_a_decision_on_what_was_never_asked_names_it() -> None:
    home = card()
    refused = home.refusal(ApproveAdjustment(home.ids[0], ID, "S2"))
    assert refused.metadata == {"adjustment_id": str(ID)}
    home.do(adjustment(home, 10_001))
    assert home.refusal(adjustment(home, 1)).metadata == {"adjustment_id": str(ID)}
    home.do(RejectAdjustment(home.ids[0], ID, "S1"))
    refused = home.refusal(ApproveAdjustment(home.ids[0], ID, "S2"))
    assert refused.metadata == {"adjustment_id": str(ID), "state": "REJECTED"}


@pytest.mark.parametrize("approves", [False, True])
def test_what_is_due_expires_before_an_adjustment_is_decided(approves: bool) -> None:
    home = card()
    me = home.ids[0]
    home.buy(me, 10_000)
    home.do(adjustment(home, 20_000))
    home.now += timedelta(days=800)
    decision = ApproveAdjustment(me, ID, "S2") if approves else RejectAdjustment(me, ID, "S2")
    done = home.decided(decision)
    kinds = [EntryKind.EXPIRY, EntryKind.ADJUSTMENT] if approves else [EntryKind.EXPIRY]
    assert [entry.kind for entry in done.changes.entries] == kinds
    assert done.changes.entries[0].reference_id is None
    home.check()


# Transfers


def test_a_transfer_takes_lot_by_lot_and_puts_each_part_into_a_lot_with_the_same_life() -> None:
    home = Family(2)
    giver, receiver = home.ids
    group = home.unite()
    home.buy(giver, 30_000)
    home.now += timedelta(days=40)
    home.buy(giver, 20_000)
    home.now += HOUR
    done = home.decided(TransferPoints(ID, giver, receiver, 400, "for dinner"))
    assert [entry.version for entry in done.changes.entries] == [3, 1]
    assert done.changes.entries == [
        Entry(
            giver,
            3,
            EntryKind.TRANSFER,
            home.now,
            ID,
            None,
            0,
            [
                Posting(Asset.POINTS, -300, House.TRANSFER, 1, 200),
                Posting(Asset.POINTS, -100, House.TRANSFER, 2, 100),
            ],
        ),
        Entry(
            receiver,
            1,
            EntryKind.TRANSFER,
            home.now,
            ID,
            None,
            0,
            [
                Posting(Asset.POINTS, 300, House.TRANSFER, 1, 300),
                Posting(Asset.POINTS, 100, House.TRANSFER, 2, 400),
            ],
        ),
    ]
    first, second = (home.books.members[giver].lots[number] for number in (1, 2))
    assert [lot_facts(lot) for _, lot in done.changes.new_lots] == [
        (1, Asset.POINTS, 300, 300, first.earned_at, first.expires_at),
        (2, Asset.POINTS, 100, 100, second.earned_at, second.expires_at),
    ]
    assert sorted(done.changes.touched_lots) == [(giver, 1), (giver, 2)]
    day = home.now.astimezone(SHANGHAI).date()
    assert done.changes.movements.transfers == [
        Transfer(ID, group.group_id, giver, 3, receiver, 1, home.now, day, 400, "for dinner")
    ]
    gave = home.books.members[giver].balances()
    got = home.books.members[receiver].balances()
    assert done.answer == TransferAnswer(ID, home.now, 400, gave)
    assert done.events == [
        PointsTransferred(giver, ID, TransferDirection.OUT, receiver, 400, home.now, gave),
        PointsTransferred(receiver, ID, TransferDirection.IN, giver, 400, home.now, got),
    ]
    assert home.books.movements.given == {giver: {day: 400}}
    home.check()


def test_a_transfer_is_made_once_and_the_next_one_counts_on() -> None:
    home = Family(2)
    giver, receiver = home.ids
    home.unite()
    home.buy(giver, 50_000)
    home.do(TransferPoints(ID, giver, receiver, 400))
    again = home.refusal(TransferPoints(ID, giver, receiver, 1))
    assert (again.reason, again.metadata) == ("TRANSFER_EXISTS", {"transfer_id": str(ID)})
    home.do(TransferPoints(uuid4(), giver, receiver, 50))
    day = home.now.astimezone(SHANGHAI).date()
    assert home.books.movements.given == {giver: {day: 450}}
    home.check()


def test_what_may_be_given_is_counted_by_the_day_and_month_of_the_groups_calendar() -> None:
    home = Family(2)
    giver, receiver = home.ids
    home.unite()
    home.buy(giver, 30_000_000)
    given = home.books.movements.given.setdefault(giver, {})
    given[date(2026, 3, 1)] = 150_000
    given[date(2025, 3, 10)] = given[date(2026, 2, 28)] = 190_000
    given[date(2026, 3, 10)] = 40_000
    for points, metadata in (
        (20_001, {"period": "TRANSFER", "limit_points": "20000", "left_points": "20000"}),
        (10_001, {"period": "DAY", "limit_points": "50000", "left_points": "10000"}),
    ):
        assert home.refusal(TransferPoints(ID, giver, receiver, points)).metadata == metadata
    home.do(TransferPoints(uuid4(), giver, receiver, 10_000))
    home.now += timedelta(days=1)
    refusal = home.refusal(TransferPoints(ID, giver, receiver, 1))
    assert refusal.metadata == {"period": "MONTH", "limit_points": "200000", "left_points": "0"}
    home.now += timedelta(days=20, hours=11, minutes=59)  # a minute before April in Shanghai
    assert home.refusal(TransferPoints(ID, giver, receiver, 1)).reason == "TRANSFER_LIMIT"
    home.now += timedelta(minutes=1)
    home.do(TransferPoints(ID, giver, receiver, 20_000))


def test_a_day_without_a_transfer_has_all_of_its_limit_left() -> None:
    home = Family(2)
    giver, receiver = home.ids
    home.unite()
    home.buy(giver, 30_000_000)
    terms = MovementTerms(transfer_points_day_max=500, transfer_points_month_max=700)
    home.books.movements.terms = terms
    refusal = home.refusal(TransferPoints(ID, giver, receiver, 501))
    assert refusal.metadata["left_points"] == "500"
    home.do(TransferPoints(ID, giver, receiver, 500))
    home.now += timedelta(days=1)
    refusal = home.refusal(TransferPoints(uuid4(), giver, receiver, 201))
    assert refusal.metadata == {"period": "MONTH", "limit_points": "700", "left_points": "200"}
    home.do(TransferPoints(uuid4(), giver, receiver, 200))


def test_a_group_is_kept_with_its_members_in_order_and_forgets_who_leaves() -> None:
    home = Family(3)
    one, two, three = home.ids
    done = home.decided(PutTransferGroup(ID, (two, one), 0))
    group = TransferGroup(ID, (one, two), 1, START)
    assert done.changes.movements.groups == {ID: group}
    assert home.books.movements.group_of == {one: ID, two: ID}
    assert done.answer == (ID, (one, two), 1, START)
    home.now += HOUR
    done = home.decided(PutTransferGroup(ID, (three, two), 1))
    assert done.answer == (ID, (two, three), 2, home.now)
    assert home.books.movements.group_of == {two: ID, three: ID}
    assert done.changes.movements.groups == {ID: TransferGroup(ID, (two, three), 2, home.now)}
    other = PutTransferGroup(UUID(int=2), (one, two), 0)
    refused = home.refusal(other)
    assert (refused.reason, refused.metadata) == (
        "MEMBER_IN_ANOTHER_GROUP",
        {"member_id": str(two)},
    )
