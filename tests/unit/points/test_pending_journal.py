"""What pending points leave in journal and records, and when they are over, field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.points.domain.accounts import Balances
from services.points.domain.answers import (
    SettleAnswer,
)
from services.points.domain.assets import EntryKind, Funder, House
from services.points.domain.commands import (
    PostCheckout,
    ReverseCheckout,
    SettleDue,
)
from services.points.domain.earning import EarnedBy
from services.points.domain.events import (
    PointsMatured,
)
from services.points.domain.journal import Entry, Posting
from services.points.domain.pending import PendingKey, PendingPoints, PendingState
from services.points.domain.rules import EarningRule, Pending, StackingClass
from tests.unit.points.families import Family
from tests.unit.points.journals import (
    DAY,
    END_OF_MARCH_2028,
    HOUR,
    ID,
    MERCHANT,
    OTHER,
    POINTS,
    entry_of,
    lot_facts,
)
from tests.unit.points.worlds import OUTLET_BASE, PLACE, START, programme, purchase

WAITING = EarningRule("WAITING", StackingClass.ADD, 50, Funder.MERCHANT, pending=Pending(days=7))


def test_pending_points_are_kept_with_all_that_maturing_needs() -> None:
    home = Family(1, programme(OUTLET_BASE, WAITING))
    me = home.ids[0]
    matures = START + 7 * DAY
    done = home.decided(PostCheckout(ID, purchase(me, 10_000)))
    assert entry_of(done).postings == [
        Posting(POINTS, 100, House.ISSUED, 1, 100, "BASE_OUTLETS", Funder.ISSUER, 10_000)
    ]
    waiting = PendingPoints(
        PendingKey(1, 2),
        ID,
        MERCHANT,
        1,
        "WAITING",
        Funder.MERCHANT,
        50,
        10_000,
        START,
        matures,
        END_OF_MARCH_2028,
    )
    assert repr(done.changes.new_pending) == repr([(me, waiting)])
    assert done.answer.posted.balances.points_pending == 50
    home.now = matures + HOUR
    settled = home.decided(SettleDue(me))
    assert settled.answer == SettleAnswer(0, 0, 50)
    assert entry_of(settled) == Entry(
        me,
        2,
        EntryKind.MATURING,
        home.now,
        ID,
        MERCHANT,
        1,
        [Posting(POINTS, 50, House.FUNDING, 2, 150, "WAITING", Funder.MERCHANT, 10_000)],
    )
    assert [lot_facts(lot) for _, lot in settled.changes.new_lots] == [
        (2, POINTS, 50, 50, START, END_OF_MARCH_2028)
    ]
    (matured,) = settled.changes.touched_pending.values()
    assert (matured.state, matured.resolved_version, matured.lot_number) == (
        PendingState.MATURED,
        2,
        2,
    )
    assert settled.events == [
        PointsMatured(
            me,
            ID,
            MERCHANT,
            home.now,
            (EarnedBy("WAITING", 50, 10_000, Funder.MERCHANT),),
            0,
            1,
            END_OF_MARCH_2028,
            Balances(150, 0, 0, 0, 2, 100, END_OF_MARCH_2028),
        )
    ]


@pytest.mark.parametrize(
    ("days", "ends"),
    [
        (700, END_OF_MARCH_2028),  # in February 2028, whose next month ends with the rule's
        (721, END_OF_MARCH_2028),  # on 29 February, still
        (722, datetime(2028, 4, 30, 16, tzinfo=UTC)),
    ],
)
def test_pending_points_live_to_the_end_of_the_month_after_they_mature(
    days: int, ends: datetime
) -> None:
    home = Family(1, programme(OUTLET_BASE, replace(WAITING, pending=Pending(days=days))))
    done = home.decided(PostCheckout(ID, purchase(home.ids[0], 10_000)))
    ((_, waiting),) = done.changes.new_pending
    assert waiting.expires_at == ends


def test_all_that_is_pending_is_cancelled_by_a_whole_reversal() -> None:
    other = replace(WAITING, code="OTHER", effect=30)
    home = Family(1, programme(OUTLET_BASE, WAITING, other))
    me = home.ids[0]
    home.do(PostCheckout(ID, purchase(me, 10_000)))
    done = home.decided(ReverseCheckout(me, ID, OTHER, PLACE))
    assert (done.answer.points_taken_back, done.answer.pending_cancelled) == (100, 80)
    assert [(each.cancelled, each.left) for each in home.members()[0].pending.values()] == [
        (50, 0),
        (30, 0),
    ]
    assert home.members()[0].points_pending == 0


def test_only_the_checkouts_own_points_that_mature_to_expire_at_once_are_gone() -> None:
    month = replace(programme(OUTLET_BASE, WAITING), points_expire_after_months=1)
    home = Family(1, month)
    me = home.ids[0]
    home.do(PostCheckout(ID, purchase(me, 10_000)))
    home.do(PostCheckout(OTHER, purchase(me, 10_000)))
    member = home.members()[0]
    over = datetime(2026, 4, 30, 16, tzinfo=UTC)
    just_before = over - timedelta(microseconds=1)
    for version in (1, 2):
        assert member.gone_at_once(version, over) == 50
        assert member.gone_at_once(version, just_before) == 0
    assert member.gone_at_once(3, over) == 0
    member.points_debt = 60  # is served first, by what matures first
    assert [member.gone_at_once(version, over) for version in (1, 2)] == [0, 40]
    assert member.debt_at(over) == 0
    member.points_debt = 130
    assert member.debt_at(over) == 30
