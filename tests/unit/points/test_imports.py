"""Opening balances: a row becomes a lot with its own dates, once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.points.domain.answers import ImportAnswer
from services.points.domain.assets import Asset, EntryKind, Funder, House
from services.points.domain.commands import ImportBalance, TopUpStoredValue
from services.points.domain.events import BalanceImported, ValueExpired
from tests.unit.points.worlds import PLACE, START, World

IMPORT = UUID("0199aaaa-0000-7000-8000-00000000aaaa")


def row(world: World, **changes: Any) -> ImportBalance:
    fields: dict[str, Any] = {
        "import_id": IMPORT,
        "line": 2,
        "reference": "OLD-1",
        "member_id": world.member_id,
        "asset": Asset.POINTS,
        "amount": 500,
        "earned_at": START - timedelta(days=400),
        "expires_at": START + timedelta(days=100),
    }
    return ImportBalance(**(fields | changes))


@pytest.mark.parametrize(
    ("asset", "expires_at", "house", "rule", "funder"),
    [
        (Asset.POINTS, START + timedelta(days=9), House.ISSUED, "OPENING_BALANCE", Funder.ISSUER),
        (Asset.POINTS, None, House.ISSUED, "OPENING_BALANCE", Funder.ISSUER),
        (Asset.BONUS, START + timedelta(days=9), House.ISSUED, "OPENING_BALANCE", Funder.ISSUER),
        (Asset.CASH, None, House.CASH_IN, "", None),
    ],
)
def test_a_row_becomes_a_lot_with_its_own_dates_against_the_house_account_of_its_asset(
    asset: Asset, expires_at: datetime | None, house: House, rule: str, funder: Funder | None
) -> None:
    world = World()
    command = row(world, asset=asset, expires_at=expires_at)
    assert world.do(command) == ImportAnswer(repeated=False)
    (entry,) = world.entries
    (posting,) = entry.postings
    assert (entry.kind, entry.reference_id) == (EntryKind.IMPORT, IMPORT)
    assert (posting.amount, posting.house, posting.rule, posting.funder) == (
        500,
        house,
        rule,
        funder,
    )
    (lot,) = world.member.lots.values()
    assert (lot.asset, lot.remaining, lot.earned_at, lot.expires_at) == (
        asset,
        500,
        command.earned_at,
        expires_at,
    )
    (event,) = world.events
    assert isinstance(event, BalanceImported)
    assert (event.row, event.balances.member_version) == (command, 1)


def test_an_imported_lot_is_spent_in_its_place_among_the_others() -> None:
    world = World()
    world.buy(50_000)
    world.do(row(world))
    world.buy(60_000, points=600)
    assert [lot.remaining for lot in world.member.lots.values()] == [400, 0, 594]


def test_the_same_row_again_changes_nothing() -> None:
    world = World()
    world.do(row(world))
    world.now += timedelta(days=50)
    before = repr(world.member)
    assert world.do(row(world)).repeated
    assert repr(world.member) == before
    assert len(world.events) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"line": 3}, "IMPORT_REFERENCE_TAKEN"),
        ({"amount": 501}, "IMPORT_ROW_DIFFERS"),
        ({"asset": Asset.BONUS}, "IMPORT_ROW_DIFFERS"),
        ({"member_id": uuid4()}, "IMPORT_ROW_DIFFERS"),
        ({"earned_at": START}, "IMPORT_ROW_DIFFERS"),
        ({"expires_at": None}, "IMPORT_ROW_DIFFERS"),
    ],
)
def test_a_reference_that_is_in_takes_nothing_else(changes: dict[str, Any], reason: str) -> None:
    world = World()
    world.do(row(world))
    refusal = world.refusal(row(world, **changes))
    assert refusal.reason == reason
    if reason == "IMPORT_ROW_DIFFERS":
        assert refusal.metadata == {"field": next(iter(changes))}
    else:
        assert refusal.metadata == {"line": "2"}


def test_another_import_may_use_the_same_reference() -> None:
    world = World()
    world.do(row(world))
    world.do(row(world, import_id=uuid4()))
    assert world.member.points.balance == 1_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expires_at": START}, "IMPORT_ROW_EXPIRED"),
        ({"expires_at": START - timedelta(days=500)}, "IMPORT_ROW_EXPIRED"),
        ({"asset": Asset.CASH}, "CASH_NEVER_EXPIRES"),
        ({"earned_at": START + timedelta(microseconds=1)}, "EARNED_IN_FUTURE"),
        ({"asset": Asset.CASH, "expires_at": None, "amount": 500_001}, "BALANCE_LIMIT"),
        ({"asset": Asset.BONUS, "amount": 500_001}, "BALANCE_LIMIT"),
    ],
)
def test_a_wrong_row_is_refused_with_its_own_reason_and_changes_nothing(
    changes: dict[str, Any], reason: str
) -> None:
    world = World()
    assert world.refusal(row(world, **changes)).reason == reason


def test_the_cards_limit_counts_both_parts_and_not_what_is_due() -> None:
    world = World()
    world.do(TopUpStoredValue(world.member_id, uuid4(), PLACE, 100_000, "CNY"))
    most = row(world, asset=Asset.CASH, expires_at=None, amount=390_001)
    refusal = world.refusal(most)
    assert refusal.reason == "BALANCE_LIMIT"
    assert refusal.metadata == {"limit_minor": "500000", "balance_minor": "110000"}
    world.now += timedelta(days=800)
    world.do(row(world, asset=Asset.CASH, expires_at=None, amount=400_000))
    assert isinstance(world.events[-2], ValueExpired)
    assert world.member.cash.balance == 500_000
