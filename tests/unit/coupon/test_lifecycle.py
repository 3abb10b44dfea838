"""The life of coupons under random histories, held against a naive reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.coupon.domain.book import Book, Member
from services.coupon.domain.campaigns import Limits
from services.coupon.domain.commands import (
    CancelReservation,
    ClaimCoupon,
    Command,
    ExpectedDiscount,
    Redeem,
    Reserve,
    RollBack,
)
from services.coupon.domain.coupons import TRANSITIONS, CouponState, Step
from services.coupon.domain.deciding import Decider
from services.coupon.domain.events import CouponIssued, Event
from tests.unit.coupon.making import NOON, SHANGHAI, basket, campaign, creating, numbered

MEMBERS = (UUID(int=1), UUID(int=2))
OFF = 5_000
BASKET = basket(100_000)
decide = Decider(coupons_per_checkout_max=5)


def a_book(quantity: int = 0, per_member: int = 0) -> Book:
    book = Book(members={each: Member(each, 0, None) for each in MEMBERS})
    made = campaign(1, limits=Limits(quantity, per_member))
    decide(book, creating(made), NOON)
    return book


def claiming(member: UUID, number: int) -> ClaimCoupon:
    return ClaimCoupon(member, numbered(500 + number), "CODE1", "CLASSIC", SHANGHAI)


def reserving(member: UUID, checkout: int, coupons: Sequence[int]) -> Reserve:
    expected = tuple(ExpectedDiscount(numbered(500 + each), OFF) for each in coupons)
    return Reserve(member, numbered(checkout), BASKET, expected)


@dataclass
class Reference:
    """What a clerk with a card index would do: nothing shared with the rules but the reasons."""

    quantity: int
    per_member: int
    end: datetime
    cards: dict[int, tuple[UUID, str]] = field(default_factory=dict)
    slips: dict[int, tuple[UUID, str, tuple[int, ...]]] = field(default_factory=dict)

    def claim(self, member: UUID, number: int, now: datetime) -> str:
        mine = sum(owner == member for owner, _ in self.cards.values())
        if now >= self.end:
            return "CAMPAIGN_NOT_VALID"
        if self.per_member and mine >= self.per_member:
            return "MEMBER_LIMIT"
        if self.quantity and len(self.cards) >= self.quantity:
            return "QUANTITY_EXHAUSTED"
        self.cards[number] = (member, "ISSUED")
        return "OK"

    def reserve(self, member: UUID, checkout: int, coupons: tuple[int, ...], now: datetime) -> str:
        if checkout in self.slips:
            cancelled = self.slips[checkout][1] == "CANCELLED"
            return "CHECKOUT_CANCELLED" if cancelled else "CHECKOUT_EXISTS"
        for number in coupons:
            owner, state = self.cards.get(number, (None, ""))
            if owner != member:
                return "COUPON_NOT_FOUND"
            if state == "ISSUED" and now >= self.end:
                state = "EXPIRED"
            if state != "ISSUED":
                return f"COUPON_{state}"
        self._turn(coupons, "RESERVED")
        self.slips[checkout] = (member, "RESERVED", coupons)
        return "OK"

    def redeem(self, member: UUID, checkout: int) -> str:
        owner, state, coupons = self.slips.get(checkout, (None, "", ()))
        if owner != member:
            return "CHECKOUT_NOT_FOUND"
        if state == "CANCELLED":
            return "CHECKOUT_CANCELLED"
        if state == "RESERVED":
            self._turn(coupons, "REDEEMED")
            self.slips[checkout] = (member, "REDEEMED", coupons)
        return "OK"

    def cancel(self, member: UUID, checkout: int) -> str:
        owner, state, coupons = self.slips.get(checkout, (member, "RESERVED", ()))
        if owner != member:
            return "CHECKOUT_NOT_FOUND"
        if state in {"REDEEMED", "ROLLED_BACK"}:
            return "CHECKOUT_REDEEMED"
        if state == "RESERVED":
            self._turn(coupons, "ISSUED")
            self.slips[checkout] = (member, "CANCELLED", coupons)
        return "OK"

    def roll_back(self, member: UUID, checkout: int) -> str:
        owner, state, coupons = self.slips.get(checkout, (None, "", ()))
        if owner != member:
            return "CHECKOUT_NOT_FOUND"
        if state == "CANCELLED":
            return "CHECKOUT_CANCELLED"
        if state == "RESERVED":
            return "CHECKOUT_NOT_REDEEMED"
        if state == "REDEEMED":
            self._turn(coupons, "ISSUED")
            self.slips[checkout] = (member, "ROLLED_BACK", coupons)
        return "OK"

    def _turn(self, coupons: tuple[int, ...], state: str) -> None:
        for number in coupons:
            self.cards[number] = (self.cards[number][0], state)

    def seen(self, now: datetime) -> dict[int, str]:
        """Each card as anyone would see it now."""
        ended = now >= self.end
        return {
            number: "EXPIRED" if ended and state == "ISSUED" else state
            for number, (_, state) in self.cards.items()
        }


MEMBER = st.sampled_from(MEMBERS)
CHECKOUT = st.integers(1, 4)
COUPONS = st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True).map(tuple)
STEP = st.one_of(
    st.tuples(st.just("claim"), MEMBER),
    st.tuples(st.just("reserve"), MEMBER, CHECKOUT, COUPONS),
    st.tuples(st.just("redeem"), MEMBER, CHECKOUT),
    st.tuples(st.just("cancel"), MEMBER, CHECKOUT),
    st.tuples(st.just("roll_back"), MEMBER, CHECKOUT),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)
"""Few members, checkouts and coupons, so that messages repeat, come late and cross each other."""


@settings(max_examples=300)
@given(st.lists(STEP, max_size=40), st.integers(0, 6), st.integers(0, 4))
def test_any_history_ends_as_the_reference_says(
    history: list[tuple[str, *tuple[object, ...]]], quantity: int, per_member: int
) -> None:
    book = a_book(quantity, per_member)
    stock = book.stocks[numbered(1)]
    reference = Reference(quantity, per_member, stock.campaign.conditions.valid_until)
    now, events = NOON, list[Event]()
    for name, *arguments in history:
        if name == "wait":
            now += timedelta(days=int(str(arguments[0])))
            continue
        command, expected = asked(reference, name, arguments, now)
        before = snapshot(book)
        try:
            events += decide(book, command, now).events
            outcome = "OK"
        except Refusal as refusal:
            outcome = refusal.reason
            assert snapshot(book) == before, f"{outcome} left something behind"
        assert outcome == expected, (name, arguments)
        assert_alike(book, reference, now)
    assert_gap_free(events)


def asked(
    reference: Reference, name: str, arguments: Sequence[object], now: datetime
) -> tuple[Command, str]:
    """The command, and what the reference does and says about it."""
    match (name, *arguments):
        case ("claim", UUID() as member):
            number = len(reference.cards)
            return claiming(member, number), reference.claim(member, number, now)
        case ("reserve", UUID() as member, int(checkout), tuple(coupons)):
            command = reserving(member, checkout, coupons)
            return command, reference.reserve(member, checkout, coupons, now)
        case ("redeem", UUID() as member, int(checkout)):
            return Redeem(member, numbered(checkout)), reference.redeem(member, checkout)
        case ("cancel", UUID() as member, int(checkout)):
            command_ = CancelReservation(member, numbered(checkout))
            return command_, reference.cancel(member, checkout)
        case ("roll_back", UUID() as member, int(checkout)):
            undo = RollBack(member, numbered(checkout), numbered(900))
            return undo, reference.roll_back(member, checkout)
    raise AssertionError(name)


def snapshot(book: Book) -> object:
    """What a refusal must leave alone: all but coupons that time has ended."""
    stock = book.stocks[numbered(1)]
    return (
        (stock.issued, stock.reserved, stock.redeemed),
        dict(book.checkouts),
        {key: each.checkout_id for key, each in book.coupons.items()},
        [member.version for member in book.members.values()],
        len(book.redemptions),
        len(book.roll_backs),
    )


def assert_alike(book: Book, reference: Reference, now: datetime) -> None:
    stock = book.stocks[numbered(1)]
    seen = {each.coupon_id.int - 1_500: each.state_at(now).value for each in book.coupons.values()}
    assert seen == reference.seen(now)
    states = [state for _, state in reference.cards.values()]
    assert stock.issued == len(states)
    assert (stock.reserved, stock.redeemed) == (states.count("RESERVED"), states.count("REDEEMED"))
    assert len(book.redemptions) - len(book.roll_backs) == stock.redeemed
    for coupon in book.coupons.values():
        held = coupon.state in {CouponState.RESERVED, CouponState.REDEEMED}
        assert held == (coupon.checkout_id is not None)


def assert_gap_free(events: list[Event]) -> None:
    for member in MEMBERS:
        versions = [
            event.version for event in events if getattr(event, "member_id", None) == member
        ]
        assert versions == list(range(1, len(versions) + 1))


def test_every_transition_that_the_domain_page_draws_is_in_the_table_and_no_other() -> None:
    issued, reserved, redeemed = CouponState.ISSUED, CouponState.RESERVED, CouponState.REDEEMED
    drawn = {
        (issued, Step.RESERVE, reserved),
        (reserved, Step.CANCEL, issued),
        (reserved, Step.REDEEM, redeemed),
        (redeemed, Step.ROLL_BACK, issued),
        (issued, Step.EXPIRE, CouponState.EXPIRED),
    }
    assert {(before, step, after) for (before, step), after in TRANSITIONS.items()} == drawn


def test_a_checkout_redeems_a_coupon_that_ended_while_reserved() -> None:
    book = a_book()
    decide(book, claiming(MEMBERS[0], 0), NOON)
    decide(book, reserving(MEMBERS[0], 1, [0]), NOON)
    late = NOON + timedelta(days=90)
    decide(book, Redeem(MEMBERS[0], numbered(1)), late)
    assert [each.state for each in book.coupons.values()] == [CouponState.REDEEMED]


def test_repeated_steps_answer_the_first_outcome_and_emit_nothing() -> None:
    book = a_book()
    decide(book, claiming(MEMBERS[0], 0), NOON)
    decide(book, reserving(MEMBERS[0], 1, [0]), NOON)
    later = NOON + timedelta(hours=1)
    for command in (
        Redeem(MEMBERS[0], numbered(1)),
        RollBack(MEMBERS[0], numbered(1), numbered(901)),
    ):
        first = decide(book, command, NOON)
        again = decide(book, command, later)
        assert again.answer == first.answer
        assert (len(first.events), again.events) == (1, ())


def test_a_reservation_holds_the_coupons_to_the_amounts_the_guest_was_told() -> None:
    book = a_book()
    issued = decide(book, claiming(MEMBERS[0], 0), NOON).events[0]
    assert isinstance(issued, CouponIssued)
    for wrong in (
        ExpectedDiscount(issued.coupon.coupon_id, OFF - 1),
        ExpectedDiscount(issued.coupon.coupon_id, OFF, (OFF - 1,)),
    ):
        command = Reserve(MEMBERS[0], numbered(1), BASKET, (wrong,))
        with pytest.raises(Refusal, match="AMOUNT_CHANGED"):
            decide(book, command, NOON)
    right = ExpectedDiscount(issued.coupon.coupon_id, OFF, (OFF,))
    decide(book, Reserve(MEMBERS[0], numbered(1), BASKET, (right,)), NOON)
