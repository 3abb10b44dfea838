"""What checkouts, expiry and maturing leave in journal and records, field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from services.points.domain.accounts import Balances
from services.points.domain.answers import (
    CancelAnswer,
    PostAnswer,
    Posted,
    ReverseAnswer,
    SettleAnswer,
    TakenBack,
)
from services.points.domain.assets import EntryKind, Funder, House
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    PostCheckout,
    ReverseCheckout,
    SettleDue,
)
from services.points.domain.earning import EarnedBy
from services.points.domain.events import (
    CheckoutPosted,
    CheckoutReversed,
    HoldReleased,
    ValueExpired,
)
from services.points.domain.journal import Entry, Posting
from services.points.domain.parts import Parts, Returned
from services.points.domain.records import (
    Checkout,
    CheckoutState,
    KeptFacts,
    PostedCheckout,
    Reversal,
)
from services.points.domain.rules import Caps
from tests.unit.points.families import Family
from tests.unit.points.journals import (
    BONUS,
    CASH,
    DAY,
    END_OF_MARCH_2028,
    HOUR,
    ID,
    MERCHANT,
    OTHER,
    POINTS,
    dinner,
    entry_of,
    guest,
    lot_facts,
)
from tests.unit.points.worlds import GOLD, OUTLET_BASE, PLACE, START, programme, purchase

EARNED = (
    EarnedBy("BASE_OUTLETS", 287, 28_700, Funder.ISSUER),
    EarnedBy("TIER_GOLD", 143, 28_700, Funder.MERCHANT),
)


def test_a_checkout_redeems_pays_and_earns_in_one_entry_and_keeps_its_facts() -> None:
    home = guest()
    me = home.ids[0]
    command = dinner(home)
    done = home.decided(command)
    # Points are worth 3.00, BONUS pays 10.00: 287.00 earn; GOLD has 1.5 times of 287, less 287.
    balances = Balances(630, 90_000, 9_000, 0, 3, 200, END_OF_MARCH_2028)
    posted = Posted(300, 300, 10_000, 1_000, 18_700, 430, 0, EARNED, 1, balances)
    assert done.answer == PostAnswer(ID, home.now, posted)
    entry = Entry(
        me,
        3,
        EntryKind.CHECKOUT,
        home.now,
        ID,
        MERCHANT,
        1,
        [
            Posting(POINTS, -300, House.REDEEMED, 1, 200),
            Posting(CASH, -10_000, House.SETTLEMENT, 2, 90_000),
            Posting(BONUS, -1_000, House.SETTLEMENT, 3, 9_000),
            Posting(POINTS, 287, House.ISSUED, 4, 487, "BASE_OUTLETS", Funder.ISSUER, 28_700),
            Posting(POINTS, 143, House.FUNDING, 4, 630, "TIER_GOLD", Funder.MERCHANT, 28_700),
        ],
    )
    assert entry_of(done) == entry
    checkout = Checkout(ID, me, CheckoutState.POSTED, entry, done.answer)
    facts = KeptFacts(command.purchase, first_purchase=False, not_earning_minor=1_300)
    assert done.changes.posted == [PostedCheckout(checkout, PLACE, home.now, "CNY", 30_000, facts)]
    assert home.books.checkouts[ID] == checkout
    assert [lot_facts(lot) for _, lot in done.changes.new_lots] == [
        (4, POINTS, 430, 430, home.now, END_OF_MARCH_2028)
    ]
    assert sorted(done.changes.touched_lots) == [(me, 1), (me, 2), (me, 3)]
    assert done.events == [CheckoutPosted(me, PLACE, "CNY", 30_000, done.answer, None)]
    assert home.books.members[me].purchases == 2
    assert home.books.members[me].last_posted_at == home.now


def test_a_limited_rule_keeps_the_day_and_a_debt_is_served_first() -> None:
    capped = replace(OUTLET_BASE, caps=Caps(per_member_day=250))
    home = Family(1, programme(capped))
    me = home.ids[0]
    home.books.members[me].points_debt = 60
    home.now = START + timedelta(hours=13)  # the next day in Shanghai
    done = home.decided(PostCheckout(ID, purchase(me, 30_000, occurred_at=home.now)))
    assert entry_of(done).postings == [
        Posting(POINTS, 250, House.ISSUED, 1, 250, "BASE_OUTLETS", Funder.ISSUER, 30_000),
        Posting(POINTS, -60, House.DEBT, 1, 190),
    ]
    assert (done.answer.posted.points_earned, done.answer.posted.debt_collected) == (250, 60)
    assert [lot_facts(lot) for _, lot in done.changes.new_lots] == [
        (1, POINTS, 250, 190, home.now, END_OF_MARCH_2028)
    ]
    (posted,) = done.changes.posted
    assert posted.checkout.day is not None
    assert posted.checkout.day.isoformat() == "2026-03-11"
    assert posted.facts is not None
    assert posted.facts.first_purchase


def test_a_checkout_in_doubt_is_told_as_it_was_posted_or_fenced_off_for_ever() -> None:
    home = guest()
    me = home.ids[0]
    posted = home.do(dinner(home))
    done = home.decided(CancelPost(me, ID))
    assert done.answer == CancelAnswer(posted, None)
    assert (done.changes.fenced, done.events) == ([], [])
    fenced = home.decided(CancelPost(me, OTHER))
    assert fenced.answer == CancelAnswer(None, home.now)
    cancelled = Checkout(OTHER, me, CheckoutState.CANCELLED, resolved_at=home.now)
    assert fenced.changes.fenced == [cancelled]
    home.now += HOUR
    again = home.decided(CancelPost(me, OTHER))
    assert again.answer == CancelAnswer(None, home.now - HOUR)
    assert again.changes.fenced == []
    late = PostCheckout(OTHER, purchase(me, 100, occurred_at=home.now))
    assert home.refusal(late).metadata == {"checkout_id": str(OTHER)}
    assert home.refusal(dinner(home)).reason == "CHECKOUT_EXISTS"


def test_a_fence_is_not_put_round_anothers_checkout_and_lets_the_hold_of_its_own_go() -> None:
    home = Family(2)
    mine, theirs = home.ids
    home.buy(mine, 50_000)
    home.do(PostCheckout(OTHER, purchase(theirs, 100)))
    assert home.refusal(CancelPost(mine, OTHER)).metadata == {"checkout_id": str(OTHER)}
    home.buy(mine, 10_000, occurred_at=START - timedelta(days=399))
    home.do(AuthorizeHold(mine, uuid4(), PLACE, "CNY", 600, 0, None, ID))
    home.now = END_OF_MARCH_2028 + DAY
    home.buy(mine, 10_000)
    home.now = END_OF_MARCH_2028 + timedelta(days=800)
    done = home.decided(CancelPost(mine, ID))
    assert [type(each) for each in done.events] == [ValueExpired, HoldReleased, ValueExpired]
    gone = [each.points for each in done.events if isinstance(each, ValueExpired)]
    assert gone == [100, 600]


def test_a_reversal_to_a_lot_of_which_one_point_is_left_opens_it_once() -> None:
    home = Family(1)
    home.buy(home.ids[0], 50_000)
    bought = home.buy(home.ids[0], 499, points=499)
    assert [lot.free for lot in home.books.members[home.ids[0]].points.open_lots or []] == [1]
    home.do(ReverseCheckout(home.ids[0], bought.checkout_id, OTHER, PLACE))
    assert [lot.free for lot in home.books.members[home.ids[0]].points.open_lots or []] == [500]
    home.check()


def test_a_whole_reversal_undoes_each_posting_from_the_last_on() -> None:
    home = guest()
    me = home.ids[0]
    home.do(dinner(home))
    home.now += HOUR
    done = home.decided(ReverseCheckout(me, ID, OTHER, PLACE))
    entry = Entry(
        me,
        4,
        EntryKind.REVERSAL,
        home.now,
        OTHER,
        MERCHANT,
        1,
        [
            Posting(BONUS, 1_000, House.SETTLEMENT, 3, 10_000),
            Posting(CASH, 10_000, House.SETTLEMENT, 2, 100_000),
            Posting(POINTS, 300, House.REDEEMED, 1, 930),
            Posting(POINTS, -287, House.ISSUED, 4, 643, "BASE_OUTLETS", Funder.ISSUER, 28_700),
            Posting(POINTS, -143, House.FUNDING, 4, 500, "TIER_GOLD", Funder.MERCHANT, 28_700),
        ],
    )
    assert entry_of(done) == entry
    balances = Balances(500, 100_000, 10_000, 0, 4, 500, END_OF_MARCH_2028)
    answer = ReverseAnswer(
        reversal_id=OTHER,
        reversed_at=home.now,
        points_restored=300,
        cash_restored_minor=10_000,
        bonus_restored_minor=1_000,
        points_taken_back=430,
        debt_recorded=0,
        balances=balances,
        amount_minor=30_000,
        points_value_minor=300,
        money_minor=18_700,
        left_minor=0,
        whole=True,
        taken_back_by=(
            TakenBack("BASE_OUTLETS", 287, Funder.ISSUER),
            TakenBack("TIER_GOLD", 143, Funder.MERCHANT),
        ),
    )
    assert done.answer == answer
    assert done.changes.reversed == [Reversal(me, ID, PLACE, 4, answer)]
    (checkout,) = done.changes.reversed_checkouts.values()
    assert (checkout.checkout_id, checkout.state, checkout.resolved_at) == (
        ID,
        CheckoutState.REVERSED,
        home.now,
    )
    assert checkout.returned == Returned(Parts(300, 10_000, 1_000, 18_700), 300)
    assert checkout.taken_back == {"BASE_OUTLETS": 287, "TIER_GOLD": 143}
    assert sorted(done.changes.touched_lots) == [(me, 1), (me, 2), (me, 3), (me, 4)]
    assert done.events == [CheckoutReversed(me, ID, PLACE, "CNY", answer)]
    assert home.books.members[me].purchases == 1
    assert home.refusal(ReverseCheckout(me, ID, uuid4(), PLACE)).reason == "ALREADY_REVERSED"
    home.check()


def test_what_a_reversal_cannot_take_back_becomes_a_debt_rule_by_rule() -> None:
    home = Family(1, programme(OUTLET_BASE, GOLD))
    me = home.ids[0]
    home.do(PostCheckout(ID, purchase(me, 20_000, tier="GOLD")))
    home.buy(me, 250, points=250)
    done = home.decided(ReverseCheckout(me, ID, OTHER, PLACE))
    # 50 of 300 are left; 200 go back to the issuer and 100 to the merchant, 250 of it as a debt.
    assert entry_of(done).postings == [
        Posting(POINTS, 250, House.DEBT, None, 300),
        Posting(POINTS, -50, House.ISSUED, 1, 250, "BASE_OUTLETS", Funder.ISSUER, 20_000),
        Posting(POINTS, -150, House.ISSUED, None, 100, "BASE_OUTLETS", Funder.ISSUER, 20_000),
        Posting(POINTS, -100, House.FUNDING, None, 0, "TIER_GOLD", Funder.MERCHANT, 20_000),
    ]
    assert (done.answer.points_taken_back, done.answer.debt_recorded) == (50, 250)
    assert done.answer.balances == Balances(0, 0, 0, 250, 3, 0, None)


# Expiry and maturing


def test_what_is_due_expires_in_one_entry_of_no_merchant() -> None:
    home = guest()
    me = home.ids[0]
    home.now = END_OF_MARCH_2028
    done = home.decided(SettleDue(me))
    assert done.answer == SettleAnswer(500, 10_000)
    assert entry_of(done) == Entry(
        me,
        3,
        EntryKind.EXPIRY,
        home.now,
        None,
        None,
        0,
        [
            Posting(POINTS, -500, House.EXPIRED, 1, 0),
            Posting(BONUS, -10_000, House.EXPIRED, 3, 0),
        ],
    )
    assert [lot.expired for lot in home.books.members[me].lots.values()] == [500, 0, 10_000]
    balances = Balances(0, 100_000, 0, 0, 3, 0, None)
    assert done.events == [ValueExpired(me, home.now, 500, 10_000, balances)]
    assert home.decided(SettleDue(me)).changes.entries == []
    home.check()


def test_a_refused_checkout_or_reversal_names_the_id_it_is_about() -> None:
    home = Family(2)
    mine, theirs = home.ids
    home.do(PostCheckout(ID, purchase(mine, 10_000)))
    home.do(CancelPost(mine, OTHER))
    named = {"checkout_id": str(ID)}
    again = home.refusal(PostCheckout(ID, purchase(mine, 10_000)))
    assert (again.reason, again.metadata) == ("CHECKOUT_EXISTS", named)
    unknown = uuid4()
    for member, checkout_id in ((theirs, ID), (mine, OTHER), (mine, unknown)):
        refused = home.refusal(ReverseCheckout(member, checkout_id, uuid4(), PLACE))
        assert (refused.reason, refused.metadata) == (
            "CHECKOUT_NOT_FOUND",
            {"checkout_id": str(checkout_id)},
        )
    first = ReverseCheckout(mine, ID, uuid4(), PLACE, 4_000)
    home.do(first)
    refused = home.refusal(first)
    assert (refused.reason, refused.metadata) == (
        "REVERSAL_EXISTS",
        {"reversal_id": str(first.reversal_id)},
    )
    refused = home.refusal(ReverseCheckout(mine, ID, uuid4(), PLACE, 6_001))
    assert (refused.reason, refused.metadata) == (
        "REVERSAL_EXCEEDS_CHECKOUT",
        {"left_minor": "6000"},
    )
    home.do(ReverseCheckout(mine, ID, uuid4(), PLACE))
    refused = home.refusal(ReverseCheckout(mine, ID, uuid4(), PLACE))
    assert (refused.reason, refused.metadata) == ("ALREADY_REVERSED", named)


def test_money_of_another_currency_is_refused_with_the_one_the_account_is_kept_in() -> None:
    home = guest()
    foreign = purchase(home.ids[0], 100, occurred_at=home.now)
    foreign.currency = "USD"
    assert home.refusal(PostCheckout(ID, foreign)).metadata == {"currency": "CNY"}
