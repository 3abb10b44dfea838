"""Adjustments by hand, and the second person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.points.domain.assets import Asset
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    RejectAdjustment,
)
from services.points.domain.movement_events import BalanceAdjusted
from tests.unit.points.families import Family


def asked(
    home: Family, amount: int, asset: Asset = Asset.POINTS, by: str = "S1", **more: Any
) -> AdjustBalance:
    return AdjustBalance(
        more.get("adjustment_id", uuid4()), home.ids[0], asset, amount, "GOODWILL", "noise", by
    )


def approval(home: Family, adjustment_id: UUID, by: str = "S2") -> ApproveAdjustment:
    return ApproveAdjustment(home.ids[0], adjustment_id, by)


def test_up_to_the_limit_it_is_booked_at_once_with_the_life_of_what_is_earned_now() -> None:
    home = Family()
    answer = home.do(asked(home, 10_000))
    assert (answer.booked_at, answer.balances.points) == (home.now, 10_000)
    (lot,) = home.books.members[home.ids[0]].points.open_lots or []
    assert lot.expires_at == home.buy(home.ids[1], 100).posted.balances.next_expiry
    told = home.events[0]
    assert isinstance(told, BalanceAdjusted)
    assert (told.amount, told.reason_code, told.approved_by) == (10_000, "GOODWILL", None)
    assert home.entries[0].postings[0].rule == "GOODWILL"
    home.check()


def test_above_the_limit_nothing_moves_until_a_second_person_approves() -> None:
    home = Family()
    wanted = asked(home, 10_001)
    answer = home.do(wanted)
    assert (answer.booked_at, answer.balances.points) == (None, 0)
    refused = home.refusal(approval(home, wanted.adjustment_id, by="S1"))
    assert refused.reason == "SECOND_PERSON_REQUIRED"
    done = home.do(approval(home, wanted.adjustment_id))
    assert (done.booked_at, done.balances.points) == (home.now, 10_001)
    told = home.events[-1]
    assert isinstance(told, BalanceAdjusted)
    assert (told.requested_by, told.approved_by) == ("S1", "S2")
    for again in (
        approval(home, wanted.adjustment_id, by="S3"),
        RejectAdjustment(home.ids[0], wanted.adjustment_id, "S3"),
    ):
        refused = home.refusal(again)
        assert (refused.reason, refused.metadata["state"]) == ("ADJUSTMENT_DECIDED", "BOOKED")
    home.check()


def test_pieces_of_an_amount_need_a_second_person_as_the_amount_does() -> None:
    home = Family()
    home.do(asked(home, 6_000, by="S1"))
    assert home.do(asked(home, 4_001, by="S2")).booked_at is None
    assert home.do(asked(home, -4_001, by="S2")).booked_at is None
    assert home.do(asked(home, 4_000)).booked_at is not None
    assert home.do(asked(home, 10_000, Asset.CASH)).booked_at is not None
    home.now += timedelta(hours=24)
    assert home.do(asked(home, 10_000)).booked_at is not None
    home.check()


def test_rejected_is_final_and_who_asked_may_withdraw() -> None:
    home = Family()
    wanted = asked(home, 20_000)
    home.do(wanted)
    assert home.do(RejectAdjustment(home.ids[0], wanted.adjustment_id, "S1")).rejected_at
    refused = home.refusal(approval(home, wanted.adjustment_id))
    assert (refused.reason, refused.metadata["state"]) == ("ADJUSTMENT_DECIDED", "REJECTED")
    assert home.refusal(wanted).reason == "ADJUSTMENT_EXISTS"
    stranger = ApproveAdjustment(home.ids[1], wanted.adjustment_id, "S2")
    assert home.refusal(stranger).reason == "ADJUSTMENT_NOT_FOUND"
    assert home.refusal(approval(home, uuid4())).reason == "ADJUSTMENT_NOT_FOUND"
    assert home.books.members[home.ids[0]].version == 0


def test_it_takes_soonest_expiry_first_and_never_more_than_is_available() -> None:
    home = Family()
    home.buy(home.ids[0], 10_000)
    assert home.refusal(asked(home, -101)).metadata == {"available": "100"}
    assert home.do(asked(home, -100)).balances.points == 0
    home.top_up(home.ids[0], 50_000)
    for asset, has in ((Asset.CASH, 50_000), (Asset.BONUS, 3_000)):
        refused = home.refusal(asked(home, -has - 1, asset))
        assert refused.reason == "INSUFFICIENT_STORED_VALUE"
        assert refused.metadata == {"available_minor": str(has)}
    assert home.do(asked(home, -3_000, Asset.BONUS)).balances.bonus_minor == 0
    home.check()


def test_what_is_approved_must_still_be_possible() -> None:
    home = Family()
    home.buy(home.ids[0], 2_000_000)
    wanted = asked(home, -15_000)
    home.do(wanted)
    home.do(asked(home, -6_000))
    refused = home.refusal(approval(home, wanted.adjustment_id))
    assert (refused.reason, refused.metadata) == ("INSUFFICIENT_POINTS", {"available": "14000"})
    home.buy(home.ids[0], 100_000)
    assert home.do(approval(home, wanted.adjustment_id)).balances.points == 0
    home.check()


@pytest.mark.parametrize("asset", [Asset.CASH, Asset.BONUS])
def test_a_card_holds_no_more_by_hand_than_by_top_ups(asset: Asset) -> None:
    home = Family()
    home.top_up(home.ids[0], 49_000)
    home.do(asked(home, 10_000, asset))
    wanted = asked(home, 441_000, asset)
    home.do(wanted)
    assert home.refusal(asked(home, 441_001, asset)).reason == "BALANCE_LIMIT"
    home.top_up(home.ids[0], 1)
    refused = home.refusal(approval(home, wanted.adjustment_id))
    assert refused.metadata == {"limit_minor": "500000", "balance_minor": "59001"}
    (lot,) = [
        each
        for each in home.books.members[home.ids[0]].account(asset).open_lots or []
        if each.amount == 10_000
    ]
    assert (lot.expires_at is None) == (asset is Asset.CASH)


def test_gift_whose_end_has_come_takes_no_room_on_the_card() -> None:
    home = Family()
    home.top_up(home.ids[0], 100_000)
    home.now += timedelta(days=800)
    refused = home.refusal(asked(home, 400_001, Asset.CASH))
    assert refused.metadata == {"limit_minor": "500000", "balance_minor": "100000"}
    assert home.do(asked(home, 400_000, Asset.CASH)).booked_at is None
