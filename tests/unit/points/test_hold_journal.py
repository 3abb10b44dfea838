"""What holds leave in the journal and among the records, field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.points.domain.accounts import Balances
from services.points.domain.answers import (
    AuthorizeAnswer,
    CaptureAnswer,
    PostAnswer,
    Posted,
    ReleaseAnswer,
)
from services.points.domain.assets import EntryKind, House
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    PostCheckout,
    ReleaseHold,
    SettleDue,
)
from services.points.domain.events import (
    HoldAuthorized,
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    ValueExpired,
)
from services.points.domain.journal import Entry, Posting
from services.points.domain.pins import Amounts, Hold, HoldState, Pin
from services.points.domain.records import (
    Checkout,
    CheckoutState,
    PostedCheckout,
)
from tests.unit.points.families import Family
from tests.unit.points.journals import (
    BONUS,
    CASH,
    END_OF_MARCH_2028,
    HOUR,
    ID,
    MERCHANT,
    OTHER,
    POINTS,
    entry_of,
    guest,
)
from tests.unit.points.worlds import PLACE, programme, purchase


def held(home: Family, **more: Any) -> AuthorizeHold:
    return AuthorizeHold(home.ids[0], ID, PLACE, "CNY", 300, 11_000, **({"timeout": HOUR} | more))


def test_a_hold_pins_the_lots_that_spending_would_take() -> None:
    home = guest()
    me = home.ids[0]
    done = home.decided(held(home))
    balances = Balances(500, 100_000, 10_000, 0, 3, 200, END_OF_MARCH_2028, 300, 10_000, 1_000)
    amounts = Amounts(300, 10_000, 1_000)
    assert done.answer == AuthorizeAnswer(ID, home.now, home.now + HOUR, amounts, balances)
    (hold,) = done.changes.new_holds.values()
    lots = home.books.members[me].lots
    assert hold.pins == [Pin(lots[1], 300), Pin(lots[2], 10_000), Pin(lots[3], 1_000)]
    assert (hold.hold_id, hold.member_id, hold.state, hold.currency) == (
        ID,
        me,
        HoldState.OPEN,
        "CNY",
    )
    assert (hold.held, hold.checkout_id, hold.authorized_at, hold.timeout_at) == (
        amounts,
        None,
        home.now,
        home.now + HOUR,
    )
    assert (hold.version, hold.merchant_id, hold.resolved_version) == (3, MERCHANT, None)
    assert done.changes.entries == []
    assert sorted(done.changes.touched_lots) == [(me, 1), (me, 2), (me, 3)]
    assert home.books.members[me].last_posted_at == home.now
    assert done.events == [HoldAuthorized(me, PLACE, None, "CNY", done.answer)]
    for wrong in (
        AuthorizeHold(me, OTHER, PLACE, "USD", 1, 0, HOUR),
        CaptureHold(me, ID, PLACE, "USD", 1, 0),
    ):
        assert home.refusal(wrong).metadata == {"currency": "CNY"}


def test_a_capture_is_an_entry_and_a_checkout_of_the_holds_own_id() -> None:
    home = guest()
    me = home.ids[0]
    home.do(held(home))
    home.now += timedelta(minutes=1)
    done = home.decided(CaptureHold(me, ID, PLACE, "CNY", 201, 5_500))
    captured, released = Amounts(201, 5_000, 500), Amounts(99, 5_000, 500)
    balances = Balances(299, 95_000, 9_500, 0, 4, 299, END_OF_MARCH_2028)
    assert done.answer == CaptureAnswer(ID, home.now, captured, released, balances)
    entry = Entry(
        me,
        4,
        EntryKind.CAPTURE,
        home.now,
        ID,
        MERCHANT,
        1,
        [
            Posting(POINTS, -201, House.REDEEMED, 1, 299),
            Posting(CASH, -5_000, House.SETTLEMENT, 2, 95_000),
            Posting(BONUS, -500, House.SETTLEMENT, 3, 9_500),
        ],
    )
    assert entry_of(done) == entry
    posted = Posted(201, 201, 5_000, 500, 0, 0, 0, (), 1, balances)
    checkout = Checkout(ID, me, CheckoutState.POSTED, entry, PostAnswer(ID, home.now, posted))
    assert done.changes.posted == [PostedCheckout(checkout, PLACE, home.now, "CNY", 5_701)]
    assert home.books.checkouts[ID] == checkout
    (hold,) = done.changes.resolved_holds.values()
    assert (hold.state, hold.captured, hold.resolved_at, hold.resolved_version, hold.pins) == (
        HoldState.CAPTURED,
        captured,
        home.now,
        4,
        [],
    )
    assert done.events == [HoldCaptured(me, PLACE, "CNY", done.answer)]
    assert home.books.members[me].holds == {}


def test_what_is_due_expires_before_a_capture_and_its_rest_after_the_release() -> None:
    home = guest()
    me = home.ids[0]
    home.do(replace(held(home), timeout=timedelta(days=900)))
    home.now = END_OF_MARCH_2028
    done = home.decided(CaptureHold(me, ID, PLACE, "CNY", 200, 0))
    assert [entry.kind for entry in done.changes.entries] == [
        EntryKind.EXPIRY,
        EntryKind.EXPIRY,
        EntryKind.CAPTURE,
    ]
    assert [[each.amount for each in entry.postings] for entry in done.changes.entries] == [
        [-200, -9_000],
        [-100, -1_000],
        [-200],
    ]
    assert [type(event) for event in done.events] == [ValueExpired, ValueExpired, HoldCaptured]
    assert [entry.version for entry in done.changes.entries] == [4, 5, 6]


def test_points_of_a_capture_count_in_whole_fen_rounded_up() -> None:
    rules = programme()
    home = Family(1, replace(rules, redemption=replace(rules.redemption, points_per_unit=300)))
    me = home.ids[0]
    home.buy(me, 50_000)
    home.do(AuthorizeHold(me, ID, PLACE, "CNY", 10, 0, HOUR))
    done = home.decided(CaptureHold(me, ID, PLACE, "CNY", 10, 0))
    (posted,) = done.changes.posted
    assert posted.bill_minor == 4
    answer = posted.checkout.answer
    assert answer is not None
    assert answer.posted.points_value_minor == 4


def test_a_refused_capture_names_the_hold_and_what_stands_in_its_way() -> None:
    home = guest()
    me = home.ids[0]
    home.do(replace(held(home), timeout=None, checkout_id=OTHER))
    refused = home.refusal(CaptureHold(me, ID, PLACE, "CNY", 1, 0))
    assert (refused.reason, refused.metadata) == (
        "HOLD_OF_CHECKOUT",
        {"hold_id": str(ID), "checkout_id": str(OTHER)},
    )
    third = UUID(int=3)
    home.do(AuthorizeHold(me, third, PLACE, "CNY", 1, 0, HOUR))
    home.do(PostCheckout(third, purchase(me, 100, occurred_at=home.now)))
    refused = home.refusal(CaptureHold(me, third, PLACE, "CNY", 1, 0))
    assert (refused.reason, refused.metadata) == (
        "CHECKOUT_EXISTS",
        {"checkout_id": str(third)},
    )


def test_a_release_gives_all_back_under_a_version_of_its_own() -> None:
    home = guest()
    me = home.ids[0]
    home.do(replace(held(home), timeout=None, checkout_id=OTHER))
    home.now += HOUR
    done = home.decided(ReleaseHold(me, ID))
    balances = Balances(500, 100_000, 10_000, 0, 4, 500, END_OF_MARCH_2028)
    amounts = Amounts(300, 10_000, 1_000)
    assert done.answer == ReleaseAnswer(ID, home.now, amounts, balances)
    (hold,) = done.changes.resolved_holds.values()
    assert (hold.state, hold.captured, hold.resolved_at, hold.resolved_version, hold.pins) == (
        HoldState.RELEASED,
        Amounts(),
        home.now,
        4,
        [],
    )
    assert done.events == [HoldReleased(me, ID, OTHER, home.now, amounts, balances)]
    assert home.books.members[me].last_posted_at == home.now
    assert home.books.checkout_holds == {}
    assert sorted(done.changes.touched_lots) == [(me, 1), (me, 2), (me, 3)]


def test_a_release_of_an_id_never_seen_is_kept_as_a_fence() -> None:
    home = guest()
    me = home.ids[0]
    done = home.decided(ReleaseHold(me, ID))
    (fence,) = done.changes.new_holds.values()
    as_kept = Hold(ID, me, HoldState.RELEASED, resolved_at=home.now)
    assert repr(fence) == repr(as_kept)
    assert home.books.holds == {ID: fence}
    assert done.answer == ReleaseAnswer(ID, home.now, Amounts(), home.books.members[me].balances())
    assert (done.changes.entries, done.events) == ([], [])


def test_a_timeout_is_noted_as_of_its_instant_by_whatever_comes_next() -> None:
    home = guest()
    me = home.ids[0]
    timeout_at = home.now + HOUR
    home.do(held(home))
    home.now += 2 * HOUR
    done = home.decided(SettleDue(me))
    (hold,) = done.changes.resolved_holds.values()
    assert (hold.state, hold.resolved_at, hold.resolved_version) == (
        HoldState.EXPIRED,
        timeout_at,
        4,
    )
    balances = Balances(500, 100_000, 10_000, 0, 4, 500, END_OF_MARCH_2028)
    amounts = Amounts(300, 10_000, 1_000)
    assert done.events == [HoldExpired(me, ID, timeout_at, home.now, amounts, balances)]
    assert home.books.members[me].last_posted_at == home.now
    refused = home.refusal(ReleaseHold(me, ID))
    assert refused.metadata == {
        "hold_id": str(ID),
        "state": "EXPIRED",
        "timeout_at": timeout_at.isoformat(),
    }


def test_a_hold_of_another_member_is_unknown_by_its_id() -> None:
    home = Family(2)
    for member in home.ids:
        home.buy(member, 50_000)
    home.do(AuthorizeHold(home.ids[1], ID, PLACE, "CNY", 1, 0, HOUR))
    for wrong in (
        CaptureHold(home.ids[0], ID, PLACE, "CNY", 1, 0),
        ReleaseHold(home.ids[0], ID),
        CaptureHold(home.ids[0], OTHER, PLACE, "CNY", 1, 0),
    ):
        refused = home.refusal(wrong)
        assert (refused.reason, refused.metadata) == (
            "HOLD_NOT_FOUND",
            {"hold_id": str(wrong.hold_id)},
        )


def test_an_id_that_is_taken_is_named_whatever_took_it() -> None:
    home = guest()
    me = home.ids[0]
    checkouts_hold, direct, cancelled, third = (UUID(int=number) for number in range(11, 15))
    home.do(PostCheckout(ID, purchase(me, 100, occurred_at=home.now)))
    home.do(CancelPost(me, cancelled))
    home.do(AuthorizeHold(me, checkouts_hold, PLACE, "CNY", 1, 0, None, OTHER))
    home.do(AuthorizeHold(me, direct, PLACE, "CNY", 1, 0, HOUR))
    for hold_id, checkout_id, reason, metadata in (
        (direct, None, "HOLD_EXISTS", {"hold_id": str(direct)}),
        (ID, None, "HOLD_EXISTS", {"hold_id": str(ID)}),
        (third, ID, "CHECKOUT_EXISTS", {"checkout_id": str(ID)}),
        (third, cancelled, "CHECKOUT_CANCELLED", {"checkout_id": str(cancelled)}),
        (
            third,
            OTHER,
            "CHECKOUT_HAS_HOLD",
            {"checkout_id": str(OTHER), "hold_id": str(checkouts_hold)},
        ),
    ):
        timeout = None if checkout_id else HOUR
        refused = home.refusal(AuthorizeHold(me, hold_id, PLACE, "CNY", 1, 0, timeout, checkout_id))
        assert (refused.reason, refused.metadata) == (reason, metadata)
    home.do(ReleaseHold(me, direct))
    refused = home.refusal(AuthorizeHold(me, direct, PLACE, "CNY", 1, 0, HOUR))
    assert (refused.reason, refused.metadata["hold_id"]) == ("HOLD_RELEASED", str(direct))
    bought = purchase(me, 100, occurred_at=home.now)
    refused = home.refusal(PostCheckout(OTHER, bought))
    assert (refused.reason, refused.metadata) == (
        "CHECKOUT_HAS_HOLD",
        {"checkout_id": str(OTHER), "hold_id": str(checkouts_hold)},
    )
    refused = home.refusal(PostCheckout(OTHER, bought, third))
    assert (refused.reason, refused.metadata) == ("HOLD_NOT_FOUND", {"hold_id": str(third)})
    elsewhere = PostCheckout(third, bought, checkouts_hold)
    refused = home.refusal(elsewhere)
    assert (refused.reason, refused.metadata) == (
        "HOLD_OF_CHECKOUT",
        {"hold_id": str(checkouts_hold), "checkout_id": str(OTHER)},
    )
