"""Who may be refunded: decided on the locked checkout, remembered like any answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid5

import pytest

from chassis.kernel import Category, Refusal
from gateway.domain import errors
from gateway.domain.checkouts import (
    RefundFigures,
    RefundOpening,
    RefundRecord,
    RefundRecorded,
    RefundState,
    State,
)
from gateway.domain.commands import CompleteRefund, RecordRefund
from gateway.domain.deciding import Batch, Refundable, decide
from gateway.domain.participants import Reversed
from gateway.domain.refunding import Refunder
from tests.fakes import NOW, away
from tests.unit.gateway.worlds import MEMBER, SPACE, TILL, nowhere

CHECKOUT = uuid5(SPACE, "checkout")


def opening(name: str = "refund", **changes: object) -> RefundOpening:
    made = RefundOpening(
        refund_id=uuid5(SPACE, name),
        request_id=name,
        till=TILL,
        fingerprint=b"same",
        checkout_id=CHECKOUT,
        member_id=MEMBER,
        opened_at=NOW,
        reverse=b"reverse:checkout",
        roll_back=b"roll_back:checkout",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def record(batch: Batch, asked: RefundOpening) -> RefundRecorded:
    answer = decide(batch, RecordRefund(asked), NOW).answer
    assert isinstance(answer, RefundRecorded)
    return answer


def whole(**changes: object) -> Batch:
    checkout = Refundable(SPACE, State.COMMITTED, finished=True, open_refund=False, refunded=False)
    for name, value in changes.items():
        setattr(checkout, name, value)
    return Batch(versions={MEMBER: 4}, refundable={CHECKOUT: checkout})


def test_a_committed_checkout_is_refunded_once() -> None:
    batch = whole()
    first = record(batch, opening())
    assert (first.fresh, first.record.state) == (True, RefundState.OPEN)
    assert record(batch, opening()) == RefundRecorded(first.record, fresh=False)
    with pytest.raises(Refusal) as refusal:
        record(batch, opening("another"))
    assert refusal.value.reason == "CHECKOUT_IN_PROGRESS"
    assert refusal.value.passing


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": State.CANCELLED}, "CHECKOUT_CANCELLED"),
        ({"refunded": True}, "ALREADY_REFUNDED"),
        ({"merchant_id": UUID(int=7)}, "CHECKOUT_NOT_FOUND"),
    ],
)
def test_what_may_not_be_refunded_is_refused_for_good(
    changes: dict[str, object], reason: str
) -> None:
    batch = whole(**changes)
    answer = record(batch, opening()).record
    assert answer.state is RefundState.REFUSED
    assert answer.refusal is not None
    assert answer.refusal.reason == reason
    assert batch.new_refunds == [answer]


@pytest.mark.parametrize("changes", [{"state": State.OPEN}, {"finished": False}])
def test_what_is_still_under_way_is_refunded_later(changes: dict[str, object]) -> None:
    batch = whole(**changes)
    with pytest.raises(Refusal) as refusal:
        record(batch, opening())
    assert refusal.value.passing
    assert batch.new_refunds == []


def test_a_refund_is_completed_once_and_told_once() -> None:
    row = RefundRecord(opening())
    batch = Batch(versions={MEMBER: 4}, open_refunds={row.refund_id})
    figures = RefundFigures(900, 400, whole=True)
    done = decide(batch, CompleteRefund(row, b"answer", figures), NOW)
    again = decide(batch, CompleteRefund(row, b"other", figures), NOW)
    assert [event.version for event in done.events] == [5]
    assert again.events == ()
    assert again.answer == done.answer
    assert isinstance(done.answer, RefundRecord)
    assert done.answer.figures == figures


class _Asked:
    """Participants and journal of one refund; `reverse` does what it is told."""

    def __init__(self, outcome: Refusal | None, *, whole: bool = True) -> None:
        self.outcome = outcome
        self.whole = whole
        self.calls: list[bytes] = []

    async def reverse(self, request: bytes) -> Reversed:
        self.calls.append(request)
        if self.outcome is not None:
            raise self.outcome
        return Reversed(self.whole, "reversed")

    async def roll_back(self, request: bytes) -> object:
        self.calls.append(request)
        return "rolled back"

    async def complete_refund(
        self, row: RefundRecord, reversed_: Reversed, rolled_back: object | None
    ) -> RefundRecord:
        answer = f"{reversed_.answer}, {rolled_back}".encode()
        return replace(row, state=RefundState.DONE, answer=answer)

    async def refuse_refund(self, row: RefundRecord, refusal: Refusal) -> RefundRecord:
        return replace(row, state=RefundState.REFUSED, refusal=refusal)


def conclude(asked: _Asked, row: RefundRecord) -> RefundRecord:
    refunder = Refunder(asked, asked, nowhere)  # type: ignore[arg-type]
    return asyncio.run(refunder.conclude(row))


def test_the_ledger_goes_first_and_the_coupon_follows() -> None:
    asked = _Asked(None)
    done = conclude(asked, RefundRecord(opening()))
    assert asked.calls == [b"reverse:checkout", b"roll_back:checkout"]
    assert (done.state, done.answer) == (RefundState.DONE, b"reversed, rolled back")
    assert conclude(asked, done) is done


def test_the_coupon_waits_for_the_last_amount() -> None:
    asked = _Asked(None, whole=False)
    done = conclude(asked, RefundRecord(opening()))
    assert asked.calls == [b"reverse:checkout"]
    assert (done.state, done.answer) == (RefundState.DONE, b"reversed, None")


@pytest.mark.parametrize(
    ("said", "told", "metadata"),
    [
        ("ALREADY_REVERSED", "ALREADY_REFUNDED", {}),
        ("REVERSAL_EXCEEDS_CHECKOUT", "REFUND_EXCEEDS_CHECKOUT", {"left_minor": "70"}),
        ("EARNED_POINTS_SPENT", "EARNED_POINTS_SPENT", {"missing_points": "3"}),
    ],
)
def test_what_the_ledger_will_never_reverse_ends_the_refund(
    said: str, told: str, metadata: dict[str, str]
) -> None:
    refusal = Refusal(Category.PRECONDITION, said, "no", metadata=metadata)
    ended = conclude(_Asked(refusal), RefundRecord(opening()))
    assert ended.refusal is not None
    assert (ended.refusal.reason, ended.refusal.metadata) == (told, metadata)


def test_a_refund_worked_out_before_another_one_happened_is_worked_out_again() -> None:
    batch = whole(done=1)
    with pytest.raises(Refusal) as refusal:
        record(batch, opening())
    assert (refusal.value.reason, refusal.value.passing) == ("CHECKOUT_IN_PROGRESS", True)
    assert batch.new_refunds == []
    assert record(batch, opening(ordinal=2)).record.state is RefundState.OPEN


def test_what_is_more_than_is_left_is_refused_for_good_and_leaves_no_refund_open() -> None:
    batch = whole()
    too_much = opening(refusal=errors.refund_exceeds_checkout(70))
    answer = record(batch, too_much).record
    assert answer.state is RefundState.REFUSED
    assert record(batch, opening("another")).record.state is RefundState.OPEN


def test_an_outage_leaves_the_refund_open() -> None:
    with pytest.raises(Refusal):
        conclude(_Asked(away()), RefundRecord(opening()))
