"""Rendering: sandboxed Jinja2 over declared variables, with filters for money and dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from chassis.kernel import Refusal
from services.notify.domain.errors import template_invalid
from services.notify.domain.messages import Channel
from services.notify.domain.templates import (
    BODY_CHARACTERS_MAX,
    SMS_CHARACTERS_MAX,
    Language,
    Rendered,
    Template,
)

_CAN_FAIL: Final = (
    jinja2.TemplateError,
    ArithmeticError,
    TypeError,
    ValueError,
    RecursionError,
    OSError,  # what the C library says of an instant beyond its calendar
)
_SYMBOLS: Final = {"CNY": "¥"}
_ZONE: Final = ZoneInfo("Asia/Shanghai")


class RenderingFailed(Exception):
    """A template could not be rendered with these values; the text never holds a value."""


def money(minor: int, currency: str, language: Language) -> str:
    """123450 → "¥1,234.50" in Chinese, "CNY 1,234.50" in English."""
    sign = "-" if minor < 0 else ""
    amount = f"{abs(minor) // 100:,}.{abs(minor) % 100:02d}"
    if language is Language.ZH_CN:
        return f"{sign}{_SYMBOLS.get(currency, currency + ' ')}{amount}"
    return f"{sign}{currency} {amount}"


def day(seconds: int, language: Language) -> str:
    """The last whole day before an end given in Unix seconds, as a guest reads a date."""
    moment = datetime.fromtimestamp(max(seconds - 1, 0), UTC).astimezone(_ZONE)
    if language is Language.ZH_CN:
        return f"{moment.year}年{moment.month}月{moment.day}日"
    return f"{moment.day} {moment:%B %Y}"


_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Filter,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Add,
    nodes.Sub,
    nodes.Neg,
    nodes.Concat,
)
"""What a text about one guest needs. Without loops, calls, attributes and products a template
ends at once, takes no more memory than its texts and reaches nothing; the sandbox is a second wall.
"""


def _environment(language: Language) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters = {
        "money": lambda minor, currency: money(int(minor), str(currency), language),
        "number": lambda value: f"{int(value):,}",
        "day": lambda seconds: day(int(seconds), language),
    }
    return environment


@lru_cache(maxsize=512)
def _compiled(text: str, language: Language) -> tuple[jinja2.Template, frozenset[str]]:
    """The template and the names it uses; raises jinja2.TemplateError."""
    environment = _environment(language)
    tree = environment.parse(text)
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            kind = type(node).__name__.lower()
            raise jinja2.TemplateSyntaxError(f"{kind} is not allowed in a template", node.lineno)
    return environment.from_string(text), frozenset(meta.find_undeclared_variables(tree))


def check(template: Template) -> None:
    """Refuse a template that doesn't compile or uses a variable that it doesn't declare.

    Raises:
        Refusal: TEMPLATE_INVALID, with the line where there is one.
    """
    for text in (template.subject, template.body):
        try:
            _, used = _compiled(text, template.key.language)
        except jinja2.TemplateSyntaxError as error:
            raise template_invalid(f"line {error.lineno}: {error.message}", error.lineno) from error
        except (jinja2.TemplateError, RecursionError, ValueError, OverflowError) as error:
            raise template_invalid(f"it does not compile: {type(error).__name__}", None) from error
        if unknown := sorted(used - set(template.variables)):
            raise template_invalid(f"not declared in variables: {', '.join(unknown)}", None)


def render(template: Template, values: Mapping[str, Any]) -> Rendered:
    """Render with the values of the declared variables.

    Raises:
        RenderingFailed: A value is missing, an expression fails or is forbidden, or the text is
            longer than its channel takes.
    """
    given = {name: values[name] for name in template.variables if name in values}
    key = template.key
    try:
        subject = _compiled(template.subject, key.language)[0].render(given)
        body = _compiled(template.body, key.language)[0].render(given)
    except _CAN_FAIL as error:
        raise RenderingFailed(type(error).__name__) from error
    limit = SMS_CHARACTERS_MAX if key.channel is Channel.SMS else BODY_CHARACTERS_MAX
    if len(body) > limit:
        raise RenderingFailed("TextTooLong")
    return Rendered(" ".join(subject.split()), body.strip())


def previewed(template: Template, values: Mapping[str, str]) -> Rendered:
    """Render for a preview: a failure is a refusal that says why.

    Raises:
        Refusal: TEMPLATE_INVALID.
    """
    check(template)
    whole = {name: int(value) if _is_whole(value) else value for name, value in values.items()}
    try:
        return render(template, whole)
    except RenderingFailed as failure:
        reason: Refusal = template_invalid(f"it does not render with these values: {failure}", None)
        raise reason from failure


def _is_whole(value: str) -> bool:
    return value.removeprefix("-").isdecimal() and len(value) <= 18
