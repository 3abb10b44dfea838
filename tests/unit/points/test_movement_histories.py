"""Random histories of a family: movements among purchases, against the naive ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.points.domain.assets import Asset, Tender
from services.points.domain.commands import PostCheckout, ReverseCheckout, TopUpStoredValue
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    RefundTopUp,
    RejectAdjustment,
    TransferPoints,
    WithdrawStoredValue,
)
from services.points.domain.programme import SpendOrder
from tests.unit.points.families import Family
from tests.unit.points.naive import NaiveRefusal
from tests.unit.points.naive_movements import NaiveFamily
from tests.unit.points.worlds import PLACE, SHANGHAI, TERMS, programme, purchase

SPACE = UUID("0199aaaa-0000-7000-8000-00000000fffe")
UNITED, SIZE = 2, 3
Step = tuple[Any, ...]

who = st.sampled_from([0, 0, 0, 1, 1, 2])
shares = st.sampled_from([0, 100, 333, 500, 1_000, 1_000, 1_100])
assets = st.sampled_from(["POINTS", "CASH", "BONUS"])
steps = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 5, 20, 31, 370, 730])),
    st.tuples(st.just("top up"), who, st.sampled_from([777, 50_000, 99_999, 100_000])),
    st.tuples(st.just("post"), who, st.integers(0, 900_000), shares, shares),
    st.tuples(st.just("reverse"), st.integers(0, 20), st.sampled_from([0, 0, 300])),
    st.tuples(st.just("transfer"), who, who, shares),
    st.tuples(st.just("transfer"), st.just(0), st.just(1), shares),
    st.tuples(st.just("adjust"), who, assets, st.sampled_from([1, 600, 10_000, 10_001])),
    st.tuples(st.just("take"), who, assets, shares),
    st.tuples(st.just("decide"), st.integers(0, 20), st.booleans()),
    st.tuples(st.just("withdraw"), who, shares),
    st.tuples(st.just("refund"), who, st.integers(0, 20)),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(steps, min_size=25, max_size=50), st.booleans())
def test_a_familys_ledger_agrees_with_the_naive_one_and_keeps_its_books(
    history: list[Step], bonus_first: bool
) -> None:
    order = SpendOrder.BONUS_FIRST if bonus_first else SpendOrder.PROPORTIONAL
    home = Family(SIZE, programme(terms=replace(TERMS, spend_order=order)))
    naive = NaiveFamily(SHANGHAI, SIZE, set(range(UNITED)), bonus_first)
    home.unite(*home.ids[:UNITED])
    made: dict[str, list[Any]] = {"top-ups": [[] for _ in range(SIZE)], "adjustments": []}
    checkouts: list[tuple[int, int]] = []
    for number, drawn in enumerate(history):
        if drawn[0] == "wait":
            home.now += timedelta(days=drawn[1])
            continue
        step = _filled_in(home, naive, number, drawn, checkouts)
        if step is None:
            continue
        try:
            expected: object = _naively(home, naive, step)
        except NaiveRefusal as refusal:
            expected = str(refusal)
        try:
            done: object = _really(home, number, step, made)
        except Refusal as refused:
            done = refused.reason
        assert done == expected, step
        home.check()
        _check_agreement(home, naive)


def _id(kind: str, number: int) -> UUID:
    return uuid5(SPACE, f"{kind} {number}")


def _filled_in(
    home: Family, naive: NaiveFamily, number: int, step: Step, checkouts: list[tuple[int, int]]
) -> Step | None:
    """The step with what depends on the history; None where there is nothing to do it on."""
    now = home.now
    match step:
        case "post", guest, bill, points, stored:
            ledger = naive.guests[guest].ledger
            has = ledger.usable("CASH", now) + ledger.usable("BONUS", now)
            points = ledger.usable("POINTS", now) * points // 1000
            checkouts.append((guest, number))
            return "post", guest, number, bill, points, has * stored // 1000
        case "reverse", one_of, thousandths:
            return _reversal(naive, one_of, thousandths, checkouts)
        case "transfer", giver, receiver, share:
            points = naive.guests[giver].ledger.usable("POINTS", now) * share // 1000
            return "transfer", giver, receiver, max(1, points)
        case "adjust", guest, asset, amount:
            return "adjust", number, guest, asset, amount
        case "take", guest, asset, share:
            amount = naive.guests[guest].ledger.usable(asset, now) * share // 1000
            return "adjust", number, guest, asset, -max(1, amount)
        case "decide", one_of, approve:
            keys = sorted(naive.pending)
            return ("decide", keys[one_of % len(keys)], approve) if keys else None
        case "withdraw", guest, share:
            amount = naive.guests[guest].ledger.usable("CASH", now) * share // 1000
            return "withdraw", guest, max(1, amount)
        case "refund", guest, one_of:
            top_ups = naive.guests[guest].top_ups
            return ("refund", guest, one_of % len(top_ups)) if top_ups else None
        case _:
            return step


def _reversal(
    naive: NaiveFamily, one_of: int, thousandths: int, checkouts: list[tuple[int, int]]
) -> Step | None:
    """A reversal of one of the purchases, whole where `thousandths` is 0."""
    if not checkouts:
        return None
    guest, key = checkouts[one_of % len(checkouts)]
    known = naive.guests[guest].ledger.checkouts.get(key)
    part = max(1, (known.bill if known else 1_000) * thousandths // 1000)
    return "reverse", guest, key, part if thousandths else None


def _naively(home: Family, naive: NaiveFamily, step: Step) -> object:
    now = home.now
    match step:
        case "top up", guest, amount:
            naive.top_up(guest, amount, now)
            return None
        case "post", guest, key, bill, points, stored:
            return naive.guests[guest].ledger.post(key, bill, points, stored, now, now)
        case "reverse", guest, key, amount:
            undone = naive.guests[guest].ledger.reverse(key, amount, now)
            return undone.taken, undone.owed
        case "transfer", giver, receiver, points:
            naive.transfer(giver, receiver, points, now)
            return None
        case "adjust", key, guest, asset, amount:
            return naive.adjust(key, guest, asset, amount, now)
        case "decide", key, approve:
            naive.decide(key, approve, now)
            return None
        case "withdraw", guest, amount:
            return naive.withdraw(guest, amount, now)
        case "refund", guest, which:
            return naive.refund(guest, which, now)
    raise AssertionError(step)


def _really(home: Family, number: int, step: Step, made: dict[str, list[Any]]) -> object:
    now, ids = home.now, home.ids
    match step:
        case "top up", guest, amount:
            top_up = _id("top-up", number)
            home.do(TopUpStoredValue(ids[guest], top_up, PLACE, amount, "CNY"))
            made["top-ups"][guest].append(top_up)
            return None
        case "post", guest, key, bill, points, stored:
            bought = purchase(ids[guest], bill, points=points, stored=stored, occurred_at=now)
            return home.do(PostCheckout(_id("checkout", key), bought)).posted.points_earned
        case "reverse", guest, key, amount:
            checkout = _id("checkout", key)
            done = home.do(ReverseCheckout(ids[guest], checkout, uuid4(), PLACE, amount))
            return done.points_taken_back, done.debt_recorded
        case "transfer", giver, receiver, points:
            home.do(TransferPoints(_id("transfer", number), ids[giver], ids[receiver], points))
            return None
        case "adjust", key, guest, asset, amount:
            wanted = _id("adjustment", key)
            made["adjustments"].append((wanted, ids[guest]))
            done = home.do(
                AdjustBalance(wanted, ids[guest], Asset(asset), amount, "WHY", "why", "S1")
            )
            return done.booked_at is not None
        case "decide", key, approve:
            wanted = _id("adjustment", key)
            (member,) = (member for each, member in made["adjustments"] if each == wanted)
            decision = ApproveAdjustment if approve else RejectAdjustment
            home.do(decision(member, wanted, "S2"))
            return None
        case "withdraw", guest, amount:
            command = WithdrawStoredValue(
                ids[guest], _id("withdrawal", number), PLACE, amount, Tender.CASH_MONEY
            )
            done = home.do(command)
            return done.paid_out_minor, done.bonus_taken_back_minor
        case "refund", guest, which:
            top_up = made["top-ups"][guest][which]
            done = home.do(RefundTopUp(ids[guest], _id("refund", number), top_up, PLACE))
            return done.cash_refunded_minor, done.bonus_taken_back_minor
    raise AssertionError(step)


def _check_agreement(home: Family, naive: NaiveFamily) -> None:
    for member, guest in zip(home.members(), naive.guests, strict=True):
        assert member.points_debt == guest.ledger.debt
        lots = [member.lots[number] for number in sorted(member.lots)]
        assert [
            (lot.asset, lot.remaining, lot.earned_at, lot.expires_at, lot.expired) for lot in lots
        ] == [(lot.asset, lot.left, lot.earned, lot.ends, lot.gone) for lot in guest.ledger.lots]
