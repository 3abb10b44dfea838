"""Rendering: what a template may hold, and what refuses to be one."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chassis.kernel import Refusal
from services.notify.converters.rendering import RenderingFailed, check, day, previewed, render
from services.notify.domain.messages import Channel
from services.notify.domain.templates import Language, Template, TemplateKey


def template(
    body: str,
    *variables: str,
    subject: str = "",
    channel: Channel = Channel.SMS,
    language: Language = Language.ZH_CN,
) -> Template:
    return Template(TemplateKey("CODE", channel, language), 1, subject, body, variables)


@pytest.mark.parametrize(
    ("body", "values", "language", "text"),
    [
        ("{{ m|money('CNY') }}", {"m": 123_450}, Language.ZH_CN, "¥1,234.50"),
        ("{{ m|money('CNY') }}", {"m": 123_450}, Language.EN, "CNY 1,234.50"),
        ("{{ m|money('CNY') }}", {"m": -5}, Language.ZH_CN, "-¥0.05"),
        ("{{ m|money('USD') }}", {"m": 100}, Language.ZH_CN, "USD 1.00"),
        ("{{ n|number }}", {"n": 1_234_567}, Language.EN, "1,234,567"),
        ("{{ n + 1 - 2 }}", {"n": 3}, Language.EN, "2"),
        ("{% if n > 1 and not n == 3 %}yes{% else %}no{% endif %}", {"n": 2}, Language.EN, "yes"),
        ("{{ 'a' if n else 'b' }}", {"n": 0}, Language.EN, "b"),
    ],
)
def test_texts_numbers_money_and_conditions_are_rendered(
    body: str, values: dict[str, Any], language: Language, text: str
) -> None:
    assert render(template(body, *values, language=language), values).body == text


def test_a_date_is_the_last_whole_day_in_china_before_the_end() -> None:
    midnight = int(datetime(2030, 5, 2, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp())
    assert day(midnight, Language.ZH_CN) == "2030年5月1日"
    assert day(midnight + 1, Language.EN) == "2 May 2030"


@pytest.mark.parametrize(
    "body",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ v.__class__ }}",
        "{{ v|attr('__class__') }}",
        "{{ v['__class__'] }}",
        "{{ v.upper() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ range(10) }}",
        "{{ cycler }}",
        "{% for a in v %}{{ a }}{% endfor %}",
        "{% macro m() %}{% endmacro %}",
        "{% set x = 1 %}",
        "{% include 'other' %}",
        "{% import 'other' as o %}",
        "{% extends 'other' %}",
        "{% block b %}{% endblock %}",
        "{% call v() %}{% endcall %}",
        "{% filter number %}1{% endfilter %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 999999999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ [1, 2] }}",
        "{{ {'a': 1} }}",
        "{{ v is callable }}",
        "{{ v|format }}",
        "{{ v|tojson }}",
        "{{ unknown }}",
        "{% if %}",
        "{{ v",
    ],
)
def test_what_reaches_out_loops_multiplies_or_does_not_parse_is_refused(body: str) -> None:
    for made in (template(body, "v"), template("text", "v", subject=body, channel=Channel.EMAIL)):
        with pytest.raises(Refusal) as refused:
            check(made)
        assert refused.value.reason == "TEMPLATE_INVALID"


def test_a_refused_template_names_its_line() -> None:
    with pytest.raises(Refusal) as refused:
        check(template("one\ntwo\n{% for a in v %}", "v"))
    assert refused.value.metadata["line"] == "3"


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("{{ v }}", {}),
        ("{{ v|number }}", {"v": "not a number"}),
        ("{{ v|day }}", {"v": 10**18}),
        ("{{ v + 1 }}", {"v": "text"}),
        ("{{ v }}", {"v": "长" * 701}),
    ],
)
def test_what_does_not_render_with_its_values_says_so_without_them(
    body: str, values: dict[str, Any]
) -> None:
    with pytest.raises(RenderingFailed) as failed:
        render(template(body, "v"), values)
    assert "not a number" not in str(failed.value)


def test_a_value_is_never_read_as_a_template() -> None:
    assert render(template("{{ v }}", "v"), {"v": "{{ 1 + 1 }}"}).body == "{{ 1 + 1 }}"


def test_only_declared_variables_reach_a_text() -> None:
    with pytest.raises(RenderingFailed):
        render(template("{{ v }}{{ w }}", "v"), {"v": "a", "w": "b"})


def test_a_subject_is_one_line_whatever_its_values_hold() -> None:
    made = template("body", "v", subject="Hello {{ v }}", channel=Channel.EMAIL)
    assert render(made, {"v": "a\r\nBcc: b@example.com"}).subject == "Hello a Bcc: b@example.com"


def test_a_preview_takes_whole_numbers_for_numbers() -> None:
    assert previewed(template("{{ v|number }}", "v"), {"v": "1000"}).body == "1,000"


def test_a_preview_without_a_value_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        previewed(template("{{ v }}", "v"), {})
    assert refused.value.reason == "TEMPLATE_INVALID"
