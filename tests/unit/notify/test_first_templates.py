"""The texts that an installation begins with, against the facts that they are rendered from."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from services.notify.converters.events import EVENT_TYPES, fact_of
from services.notify.converters.rendering import check, render
from services.notify.domain.messages import Channel
from services.notify.domain.plans import PLANS
from services.notify.domain.sms import segment, signed
from services.notify.domain.templates import Language, Template, TemplateKey
from services.notify.storage import migrations

VERSIONS = Path(migrations.__path__[0]) / "versions"
SCRIPTS = ("0002_first_templates.py", "0003_points_expiring.py", "0004_payouts.py")
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
FACTS = {fact.kind: fact for fact in (fact_of(name, b"") for name in EVENT_TYPES)}


def values_for(code: str, number: int) -> dict[str, Any]:
    """What the fact behind a text tells, all numbers being `number`."""
    (kind,) = [kind for kind, plans in PLANS.items() if code in {p.template_code for p in plans}]
    return {name: TEXTS.get(name, number) for name in FACTS[kind].variables} | {
        "salutation": "Ms Invented Person"
    }


def test_each_planned_message_has_its_text_in_every_language() -> None:
    there = {template.key for template in TEMPLATES}
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
