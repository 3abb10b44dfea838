"""The texts that an installation begins with, against the facts that they are rendered from."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from huitouke.points.v1 import events_pb2 as points_events

from services.notify.converters.events import EVENT_TYPES, fact_of
from services.notify.converters.rendering import check, render
from services.notify.domain.messages import Channel
from services.notify.domain.plans import PLANS
from services.notify.domain.sms import segment, signed
from services.notify.domain.templates import Language, Template, TemplateKey
from services.notify.storage import migrations

VERSIONS = Path(migrations.__path__[0]) / "versions"
SCRIPTS = (
    "0002_first_templates.py",
    "0003_points_expiring.py",
    "0004_payouts.py",
    "0005_refunds.py",
)
NO_LONGER_PLANNED = {"REFUND": "REVERSED"}
"""Texts of messages that were queued by earlier releases, and the fact that they were about."""
TEXTS = {"currency": "CNY", "coupon_name_zh": "晚餐立减50元", "coupon_name_en": "50 off dinner"}
SMS_PARTS_MAX = 5


def templates_of(script: str) -> list[Template]:
    specification = importlib.util.spec_from_file_location("templates", VERSIONS / script)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return [
        Template(
            TemplateKey(code, Channel(channel), Language(language)),
            1,
            subject,
            body,
            ("salutation", *variables),
        )
        for code, channel, language, subject, body, variables in module.TEMPLATES
    ]


TEMPLATES = [template for script in SCRIPTS for template in templates_of(script)]
IN_PART = points_events.CheckoutReversed(left_minor=1)
FACTS = {
    fact.kind: fact
    for fact in (
        *(fact_of(name, b"") for name in EVENT_TYPES),
        fact_of(IN_PART.DESCRIPTOR.full_name, IN_PART.SerializeToString()),
    )
}


def values_for(code: str, number: int) -> dict[str, Any]:
    """What the fact behind a text tells, all numbers being `number`."""
    kinds = [kind for kind, plans in PLANS.items() if code in {p.template_code for p in plans}]
    (kind,) = kinds or [NO_LONGER_PLANNED[code]]
    return {name: TEXTS.get(name, number) for name in FACTS[kind].variables} | {
        "salutation": "Ms Invented Person"
    }


def test_each_planned_message_has_its_text_in_every_language() -> None:
    there = {each.key for each in TEMPLATES if each.key.code not in NO_LONGER_PLANNED}
    wanted = {
        TemplateKey(plan.template_code, plan.channel, language)
        for plans in PLANS.values()
        for plan in plans
        for language in Language
    }
    assert there == wanted


@pytest.mark.parametrize(
    "template", TEMPLATES, ids=lambda each: f"{each.key.code}-{each.key.language.name}"
)
def test_a_first_text_compiles_and_declares_what_its_fact_tells(template: Template) -> None:
    check(template)
    assert set(template.variables) <= set(values_for(template.key.code, 0))


@pytest.mark.parametrize(
    "template", TEMPLATES, ids=lambda each: f"{each.key.code}-{each.key.language.name}"
)
@pytest.mark.parametrize("number", [0, 1, 12_345_678])
def test_a_first_text_reads_well_with_nothing_and_with_much(
    template: Template, number: int
) -> None:
    text = render(template, values_for(template.key.code, number))
    assert bool(text.subject) == (template.key.channel is Channel.EMAIL)
    assert not any(bad in text.body for bad in ("{", "}", "  ", "，，", "，。", ", .", " ,"))
    if template.key.channel is Channel.SMS:
        assert len(segment(signed(text.body, "【回头客】")).parts) <= SMS_PARTS_MAX


def test_a_refund_says_how_much_and_whether_it_is_all() -> None:
    """A bill of 300 of which 120 come back: 100 in money, 20 of stored value, 40 points claimed."""
    event = points_events.CheckoutReversed(
        currency="CNY",
        amount_minor=12_000,
        money_minor=10_000,
        cash_restored_minor=2_000,
        points_taken_back=40,
        left_minor=18_000,
    )
    event.balances.points, event.balances.cash_minor = 60, 5_000
    texts = {}
    for left in (18_000, 0):
        event.left_minor = left
        fact = fact_of(event.DESCRIPTOR.full_name, event.SerializeToString())
        (plan,) = PLANS[fact.kind]
        for template in TEMPLATES:
            if template.key.code == plan.template_code:
                values = {**fact.variables, "salutation": "Ms Li"}
                texts[left, template.key.language] = render(template, values).body
    assert texts[18_000, Language.ZH_CN] == (
        "尊敬的Ms Li，您的消费已部分退款，本次退款¥120.00，其中¥100.00按原支付方式退回，"
        "退回储值¥20.00，收回所得积分40。该笔消费余下¥180.00未退。积分余额60，储值余额¥50.00。"
    )
    assert texts[0, Language.ZH_CN].startswith("尊敬的Ms Li，您的消费已全部退款，本次退款¥120.00，")
    assert texts[18_000, Language.EN] == (
        "Dear Ms Li, part of your purchase is refunded: CNY 120.00, CNY 100.00 as you paid, "
        "CNY 20.00 to stored value, 40 earned points withdrawn. CNY 180.00 of it stands. "
        "Balance: 60 points, CNY 50.00."
    )
    assert texts[0, Language.EN].startswith(
        "Dear Ms Li, your purchase is refunded in full: CNY 120.00, CNY 100.00 as you paid, "
    )
