"""What top-ups and their ways back leave in the journal and among the records, field by field."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from services.points.domain.accounts import Balances
from services.points.domain.answers import TopUpAnswer
from services.points.domain.assets import Asset, EntryKind, Funder, House, Tender
from services.points.domain.commands import TopUpStoredValue
from services.points.domain.events import StoredValueToppedUp
from services.points.domain.journal import Entry, Posting
from services.points.domain.movement_answers import (
    RefundTopUpAnswer,
    WithdrawAnswer,
)
from services.points.domain.movement_commands import (
    RefundTopUp,
    WithdrawStoredValue,
)
from services.points.domain.movement_events import (
    StoredValueWithdrawn,
    TopUpRefunded,
)
from services.points.domain.movements import (
    SoldValue,
    TopUpRefund,
    Withdrawal,
)
from services.points.domain.programme import SpendOrder, TopUpTier
from services.points.domain.records import TopUp
from tests.unit.points.families import Family, card, spend
from tests.unit.points.journals import (
    HOUR,
    ID,
    MERCHANT,
    OTHER,
    entry_of,
    lot_facts,
)
from tests.unit.points.worlds import PLACE, START, TERMS, programme


def test_a_top_up_is_cash_taken_in_and_a_gift_issued() -> None:
    home = card()
    me = home.ids[0]
    done = home.decided(TopUpStoredValue(me, ID, PLACE, 100_000, "CNY", Tender.ALIPAY))
    gift_ends = START.replace(year=2028, month=3, day=31, hour=16)
    assert done.answer == TopUpAnswer(
        ID, START, 100_000, 10_000, Balances(0, 100_000, 10_000, 0, 1, 0, None)
    )
    assert entry_of(done) == Entry(
        me,
        1,
        EntryKind.TOP_UP,
        START,
        ID,
        MERCHANT,
        1,
        [
            Posting(Asset.CASH, 100_000, House.CASH_IN, 1, 100_000),
            Posting(
                Asset.BONUS, 10_000, House.ISSUED, 2, 10_000, "TOP_UP_TIER", Funder.ISSUER, 100_000
            ),
        ],
    )
    assert done.changes.top_ups == [TopUp(me, PLACE, "CNY", 1, 1, 2, done.answer, Tender.ALIPAY)]
    sold = SoldValue(ID, me, MERCHANT, START, Tender.ALIPAY, 100_000, 10_000, 1, 2)
    assert home.books.movements.sold == {ID: sold}
    assert home.books.movements.sold_into == {(me, 1): sold}
    assert [lot_facts(lot) for _, lot in done.changes.new_lots] == [
        (1, Asset.CASH, 100_000, 100_000, START, None),
        (2, Asset.BONUS, 10_000, 10_000, START, gift_ends),
    ]
    assert done.events == [StoredValueToppedUp(me, PLACE, "CNY", done.answer)]
    again = TopUpStoredValue(me, ID, PLACE, 1, "CNY")
    assert home.refusal(again).reason == "TOP_UP_EXISTS"


def test_a_top_up_below_all_tiers_has_no_gift_and_no_lot_of_it() -> None:
    home = card()
    me = home.ids[0]
    done = home.decided(TopUpStoredValue(me, ID, PLACE, 49_999, "CNY"))
    assert entry_of(done).postings == [Posting(Asset.CASH, 49_999, House.CASH_IN, 1, 49_999)]
    assert done.changes.top_ups == [TopUp(me, PLACE, "CNY", 1, 1, None, done.answer, None)]
    assert home.books.movements.sold[ID].bonus_lot_number is None
    assert home.refusal(TopUpStoredValue(me, uuid4(), PLACE, 1, "USD")).metadata == {
        "currency": "CNY"
    }


def test_a_top_up_may_reach_each_limit_and_not_pass_it() -> None:
    terms = replace(TERMS, top_up_limit_minor=60_000, balance_limit_minor=123_000)
    home = Family(1, programme(terms=terms))
    me = home.ids[0]
    refused = home.refusal(TopUpStoredValue(me, ID, PLACE, 60_001, "CNY"))
    assert (refused.reason, refused.metadata) == ("TOP_UP_LIMIT", {"limit_minor": "60000"})
    home.do(TopUpStoredValue(me, ID, PLACE, 60_000, "CNY"))  # and 3,000 as a gift
    refused = home.refusal(TopUpStoredValue(me, ID, PLACE, 1, "CNY"))
    assert (refused.reason, refused.metadata) == ("TOP_UP_EXISTS", {"top_up_id": str(ID)})
    refused = home.refusal(TopUpStoredValue(me, OTHER, PLACE, 57_001, "CNY"))
    assert (refused.reason, refused.metadata) == (
        "BALANCE_LIMIT",
        {"limit_minor": "123000", "balance_minor": "63000"},
    )
    home.do(TopUpStoredValue(me, OTHER, PLACE, 57_000, "CNY"))


# Withdrawals and refunds


def test_a_withdrawal_pays_principal_out_keeps_what_gift_was_eaten_and_takes_the_rest_back() -> (
    None
):
    home = card(SpendOrder.BONUS_FIRST)
    me = home.ids[0]
    home.do(TopUpStoredValue(me, ID, PLACE, 100_000, "CNY", Tender.BANK_CARD))
    spend(home, 4_000)
    home.now += HOUR
    command = WithdrawStoredValue(me, uuid4(), PLACE, 80_000, Tender.CASH_MONEY)
    done = home.decided(command)
    # 8,000 of the gift of 10,000 is unearned: 6,000 are left of it, 2,000 were eaten.
    balances = Balances(0, 20_000, 0, 0, 3, 0, None)
    assert done.answer == WithdrawAnswer(
        command.withdrawal_id, home.now, 80_000, 78_000, 2_000, 6_000, balances
    )
    assert entry_of(done) == Entry(
        me,
        3,
        EntryKind.WITHDRAWAL,
        home.now,
        command.withdrawal_id,
        MERCHANT,
        0,
        [
            Posting(Asset.CASH, -2_000, House.BREAKAGE, 1, 98_000, "GIFT_DEDUCTED"),
            Posting(Asset.CASH, -78_000, House.CASH_OUT, 1, 20_000),
            Posting(Asset.BONUS, -6_000, House.ISSUED, 2, 0, "TOP_UP_TIER", Funder.ISSUER, 80_000),
        ],
    )
    assert done.changes.movements.withdrawals == [
        Withdrawal(me, PLACE, "CNY", Tender.CASH_MONEY, 3, done.answer)
    ]
    sold = SoldValue(
        ID, me, MERCHANT, START, Tender.BANK_CARD, 100_000, 10_000, 1, 2, 80_000, 6_000, 2_000
    )
    assert done.changes.movements.sold == {ID: sold}
    assert sorted(done.changes.touched_lots) == [(me, 1), (me, 2)]
    assert done.events == [StoredValueWithdrawn(me, PLACE, "CNY", Tender.CASH_MONEY, done.answer)]
    home.check()


def test_eaten_gift_is_deducted_lot_by_lot_and_remembered_for_the_rest() -> None:
    home = card(SpendOrder.BONUS_FIRST, TopUpTier(1_000, 900))
    me = home.ids[0]
    for number in (1, 2):
        home.do(TopUpStoredValue(me, UUID(int=number), PLACE, 1_000, "CNY"))
    spend(home, 1_800)
    done = home.decided(WithdrawStoredValue(me, uuid4(), PLACE, 1_950, Tender.CASH_MONEY))
    # All of 900 and 855 of the other 900 are unearned: the first principal is kept whole.
    assert entry_of(done).postings == [
        Posting(Asset.CASH, -1_000, House.BREAKAGE, 1, 1_000, "GIFT_DEDUCTED"),
        Posting(Asset.CASH, -755, House.BREAKAGE, 3, 245, "GIFT_DEDUCTED"),
        Posting(Asset.CASH, -195, House.CASH_OUT, 3, 50),
    ]
    assert [
        (each.withdrawn_minor, each.bonus_taken_back_minor, each.gift_deducted_minor)
        for each in home.books.movements.sold.values()
    ] == [(1_000, 0, 900), (950, 0, 855)]
    home.do(WithdrawStoredValue(me, uuid4(), PLACE, 50, Tender.CASH_MONEY))
    second = home.books.movements.sold[UUID(int=2)]
    assert (second.withdrawn_minor, second.gift_deducted_minor) == (1_000, 900)
    home.check()


def test_a_refund_of_a_top_up_mirrors_it() -> None:
    home = card()
    me = home.ids[0]
    home.do(TopUpStoredValue(me, ID, PLACE, 100_000, "CNY", Tender.WECHAT_PAY))
    home.now += HOUR
    command = RefundTopUp(me, uuid4(), ID, PLACE)
    done = home.decided(command)
    assert done.answer == RefundTopUpAnswer(
        command.refund_id,
        ID,
        home.now,
        Tender.WECHAT_PAY,
        100_000,
        10_000,
        Balances(0, 0, 0, 0, 2, 0, None),
    )
    assert entry_of(done) == Entry(
        me,
        2,
        EntryKind.TOP_UP_REFUND,
        home.now,
        command.refund_id,
        MERCHANT,
        0,
        [
            Posting(Asset.CASH, -100_000, House.CASH_OUT, 1, 0),
            Posting(
                Asset.BONUS, -10_000, House.ISSUED, 2, 0, "TOP_UP_TIER", Funder.ISSUER, 100_000
            ),
        ],
    )
    assert done.changes.movements.refunds == [TopUpRefund(me, PLACE, "CNY", 2, done.answer)]
    (sold,) = done.changes.movements.sold.values()
    assert (sold.top_up_id, sold.refunded_at) == (ID, home.now)
    assert sorted(done.changes.touched_lots) == [(me, 1), (me, 2)]
    assert done.events == [TopUpRefunded(me, PLACE, "CNY", done.answer)]
    home.check()


def test_each_refusal_of_a_refund_names_the_id_it_is_about() -> None:
    home = card()
    me = home.ids[0]
    home.do(TopUpStoredValue(me, ID, PLACE, 1_000, "CNY"))
    unknown = RefundTopUp(me, uuid4(), UUID(int=2), PLACE)
    assert home.refusal(unknown).metadata == {"top_up_id": str(UUID(int=2))}
    spend(home, 1)
    touched = RefundTopUp(me, uuid4(), ID, PLACE)
    assert home.refusal(touched).metadata == {"top_up_id": str(ID)}
    other = card()
    mine = other.ids[0]
    other.do(TopUpStoredValue(mine, ID, PLACE, 1_000, "CNY"))
    first = RefundTopUp(mine, uuid4(), ID, PLACE)
    other.do(first)
    assert other.refusal(RefundTopUp(mine, uuid4(), ID, PLACE)).metadata == {"top_up_id": str(ID)}
    assert other.refusal(first).metadata == {"refund_id": str(first.refund_id)}
