"""Transfers inside a family group."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Funder
from services.points.domain.commands import AuthorizeHold, ReverseCheckout
from services.points.domain.movement_commands import PutTransferGroup, TransferPoints
from services.points.domain.movement_events import PointsTransferred, TransferDirection
from services.points.domain.rules import EarningRule, Pending, StackingClass
from tests.unit.points.families import Family
from tests.unit.points.worlds import PLACE, programme


def family(*bills: int, size: int = 2) -> tuple[Family, list[UUID]]:
    """A united family whose first member has bought for `bills`, a month apart."""
    made = Family(size)
    made.unite()
    for bill in bills:
        made.buy(made.ids[0], bill)
        made.now += timedelta(days=31)
    return made, made.ids


def give(giver: UUID, receiver: UUID, points: int) -> TransferPoints:
    return TransferPoints(uuid4(), giver, receiver, points)


def test_points_keep_their_expiry_and_date_and_leave_soonest_expiry_first() -> None:
    home, (mother, son) = family(10_000, 20_000)
    first, second = home.books.members[mother].points.open_lots or []
    answer = home.do(give(mother, son, 150))
    assert (answer.points, answer.balances.points) == (150, 150)
    received = home.books.members[son].points.open_lots or []
    assert [(lot.amount, lot.earned_at, lot.expires_at) for lot in received] == [
        (100, first.earned_at, first.expires_at),
        (50, second.earned_at, second.expires_at),
    ]
    out, came_in = home.events[-2:]
    assert isinstance(out, PointsTransferred)
    assert isinstance(came_in, PointsTransferred)
    assert (out.member_id, out.direction, out.counterpart_id) == (
        mother, TransferDirection.OUT, son,
    )  # fmt: skip
    assert (came_in.member_id, came_in.direction, came_in.balances.points) == (
        son, TransferDirection.IN, 150,
    )  # fmt: skip
    home.check()


def test_what_is_due_expires_on_both_sides_before_and_is_never_passed_on() -> None:
    home, (mother, son) = family(10_000)
    home.do(give(mother, son, 40))
    home.now += timedelta(days=800)
    home.buy(mother, 5_000)
    assert home.refusal(give(mother, son, 51)).metadata == {"available": "50"}
    home.do(give(mother, son, 50))
    assert home.books.members[son].points.balance == 50
    home.check()


def test_nobody_gives_to_oneself_or_outside_the_group_or_twice_by_one_id() -> None:
    home, (mother, son, guest) = family(10_000, size=3)
    home.unite(mother, son, revision=1)
    assert home.refusal(give(mother, mother, 1)).reason == "TRANSFER_TO_SELF"
    assert home.refusal(give(mother, guest, 1)).reason == "NOT_IN_ONE_GROUP"
    assert home.refusal(give(guest, mother, 1)).reason == "NOT_IN_ONE_GROUP"
    done = give(mother, son, 1)
    home.do(done)
    assert home.refusal(done).reason == "TRANSFER_EXISTS"
    home.do(PutTransferGroup(uuid4(), (guest,), 0))
    assert home.refusal(give(mother, guest, 1)).reason == "NOT_IN_ONE_GROUP"


def test_limits_count_by_transfer_day_and_month_in_the_calendar_of_the_programme() -> None:
    home, (mother, son) = family(100_000)
    terms = home.books.movements.terms
    home.books.movements.terms = replace(
        terms, transfer_points_max=100, transfer_points_day_max=150, transfer_points_month_max=300
    )
    refused = home.refusal(give(mother, son, 101))
    assert (refused.reason, refused.metadata["period"]) == ("TRANSFER_LIMIT", "TRANSFER")
    home.now = home.now.replace(hour=15, minute=59)  # 23:59 in Shanghai
    home.do(give(mother, son, 100))
    refused = home.refusal(give(mother, son, 51))
    assert refused.metadata == {"period": "DAY", "limit_points": "150", "left_points": "50"}
    home.now += timedelta(minutes=1)
    home.do(give(mother, son, 100))
    home.now += timedelta(days=1)
    home.do(give(mother, son, 100))
    refused = home.refusal(give(mother, son, 1))
    assert refused.metadata == {"period": "MONTH", "limit_points": "300", "left_points": "0"}
    assert home.do(give(son, mother, 50)).points == 50, "each giver has limits of its own"
    home.now = home.now.replace(day=1, hour=0) + timedelta(days=31)
    home.do(give(mother, son, 100))
    home.check()


def test_a_debt_is_not_paid_by_what_is_received_and_keeps_its_debtor_from_giving() -> None:
    home, (mother, son) = family(20_000)
    bought = home.buy(son, 10_000)
    home.do(give(son, mother, 100))
    home.do(ReverseCheckout(son, bought.checkout_id, uuid4(), PLACE))
    debtor = home.books.members[son]
    assert (debtor.points.balance, debtor.points_debt) == (0, 100)
    home.do(give(mother, son, 130))
    assert (debtor.points.balance, debtor.points_debt) == (130, 100)
    assert home.refusal(give(son, mother, 31)).metadata == {"available": "30"}
    home.do(give(son, mother, 30))
    home.check()


def test_a_member_is_in_one_group_and_a_group_changes_only_as_it_was_seen() -> None:
    home = Family(3)
    first, second, third = home.ids
    made = home.unite(first, second)
    assert (made.member_ids, made.revision) == ((first, second), 1)
    put = PutTransferGroup(home.group_id, (first, third), 0)
    refused = home.refusal(put)
    assert (refused.reason, refused.metadata) == ("TRANSFER_GROUP_CHANGED", {"revision": "1"})
    refused = home.refusal(PutTransferGroup(uuid4(), (second, third), 0))
    assert refused.reason == "MEMBER_IN_ANOTHER_GROUP"
    assert refused.metadata == {"member_id": str(second)}
    unseen = PutTransferGroup(uuid4(), (third,), 1)
    assert home.refusal(unseen).reason == "TRANSFER_GROUP_NOT_FOUND"
    home.do(replace(put, expected_revision=1))
    home.do(PutTransferGroup(uuid4(), (second,), 0))
    dissolved = home.do(PutTransferGroup(home.group_id, (), 2))
    assert (dissolved.member_ids, dissolved.revision) == ((), 3)
    home.do(PutTransferGroup(uuid4(), (first, third), 0))
    crowd = tuple(sorted(uuid4() for _ in range(9)))
    refused = home.refusal(PutTransferGroup(uuid4(), crowd, 0))
    assert (refused.reason, refused.metadata) == ("TRANSFER_GROUP_SIZE", {"limit_members": "8"})


@given(
    bills=st.lists(st.integers(100, 90_000), min_size=1, max_size=5),
    share=st.integers(1, 1000),
    waits=st.integers(0, 900),
)
def test_a_transfer_and_back_changes_no_total_and_lengthens_no_life(
    bills: list[int], share: int, waits: int
) -> None:
    home, (mother, son) = family(*bills)
    home.buy(mother, 100)
    home.now += timedelta(days=waits % 40)
    account = home.books.members[mother].points
    points = max(1, account.balance * share // 1000)

    def life(member_id: UUID) -> list[tuple[object, int]]:
        by_end: dict[object, int] = {}
        for lot in home.books.members[member_id].points.open_lots or ():
            key = (lot.earned_at, lot.expires_at)
            by_end[key] = by_end.get(key, 0) + lot.remaining
        return sorted(by_end.items(), key=str)

    before = life(mother)
    home.do(give(mother, son, points))
    home.now += timedelta(minutes=waits)
    home.do(give(son, mother, points))
    assert life(mother) == before
    assert life(son) == []
    home.check()


def test_what_matures_now_serves_the_debt_before_it_is_asked_for_the_transfer() -> None:
    gift = EarningRule("GIFT", StackingClass.ADD, 80, Funder.ISSUER, pending=Pending(days=7))
    home = Family(programme=programme(gift))
    home.unite()
    mother, son = home.ids
    home.buy(mother, 10_000)
    home.books.members[mother].points_debt = 50
    home.now += timedelta(days=7)
    assert home.refusal(give(mother, son, 31)).metadata["available"] == "30"
    answer = home.do(give(mother, son, 30))
    assert (answer.balances.points, answer.balances.points_debt) == (0, 0)


def test_held_points_are_not_passed_on() -> None:
    home, (mother, son) = family(10_000)
    home.do(AuthorizeHold(mother, uuid4(), PLACE, "CNY", 60, 0, timedelta(hours=1)))
    assert home.refusal(give(mother, son, 41)).metadata == {"available": "40"}
    home.do(give(mother, son, 40))
    home.now += timedelta(hours=1)
    home.do(give(mother, son, 60))
    home.check()
