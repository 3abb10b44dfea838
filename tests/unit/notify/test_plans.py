"""Which fact asks for which messages."""

import pytest

from services.notify.domain.messages import Channel
from services.notify.domain.plans import PLANS, Fact, plans_for

USED = ("points_redeemed", "cash_paid_minor", "bonus_paid_minor")


def test_an_enrolment_asks_for_a_welcome_by_sms_and_by_e_mail() -> None:
    plans = plans_for(Fact("ENROLLED", {}))
    assert {(plan.template_code, plan.channel) for plan in plans} == {
        ("WELCOME", Channel.SMS),
        ("WELCOME", Channel.EMAIL),
    }


ONE_SMS = ("TOPPED_UP", "REVERSED", "COUPON_ISSUED", "POINTS_EXPIRING", "WITHDRAWN")


@pytest.mark.parametrize("kind", [*ONE_SMS, "TOP_UP_REFUNDED"])
def test_each_of_these_facts_asks_for_one_sms(kind: str) -> None:
    (plan,) = plans_for(Fact(kind, {}))
    assert plan.channel is Channel.SMS


@pytest.mark.parametrize("used", USED)
def test_a_purchase_is_told_when_it_used_anything(used: str) -> None:
    variables = dict.fromkeys(USED, 0) | {used: 1, "points_earned": 5}
    assert len(plans_for(Fact("PAID", variables))) == 1


def test_a_purchase_that_only_earned_is_not_told() -> None:
    assert plans_for(Fact("PAID", dict.fromkeys(USED, 0) | {"points_earned": 5})) == ()


def test_who_gave_points_away_is_told_and_who_got_them_is_not() -> None:
    (plan,) = plans_for(Fact("TRANSFERRED", {"points_given": 5}))
    assert plan.template_code == "POINTS_GIVEN"
    assert plans_for(Fact("TRANSFERRED", {"points_given": 0})) == ()


def test_a_fact_without_a_plan_asks_for_nothing() -> None:
    assert plans_for(Fact("SOMETHING_ELSE", {})) == ()


def test_no_fact_asks_twice_for_one_text_on_one_channel() -> None:
    for plans in PLANS.values():
        keys = [(plan.template_code, plan.channel) for plan in plans]
        assert len(keys) == len(set(keys))
