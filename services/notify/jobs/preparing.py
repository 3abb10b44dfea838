"""From a claimed message to what is to be done with it: submit, suppress, give up, or wait."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notify.converters.contacts import Recipient
from services.notify.converters.rendering import RenderingFailed, render
from services.notify.domain.messages import Channel, State, resend_when_in_doubt
from services.notify.domain.sending import Claimed, Letter
from services.notify.domain.templates import Template, TemplateKey, version_at

_NO_DESTINATION = {Channel.SMS: "NO_MOBILE", Channel.EMAIL: "NO_EMAIL"}


@dataclass(frozen=True, slots=True)
class ToSubmit:
    """Everything a provider needs, and the template version it was rendered by."""

    letter: Letter
    template_version: int


@dataclass(frozen=True, slots=True)
class ToSuppress:
    """A rule forbids it."""

    reason: str


@dataclass(frozen=True, slots=True)
class ToGiveUp:
    """It can never be sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class ToWait:
    """It can't be sent now; `reason` is why it is given up when that doesn't change."""

    reason: str


Prepared = ToSubmit | ToSuppress | ToGiveUp | ToWait


def prepare(message: Claimed, who: Recipient | None, templates: Sequence[Template]) -> Prepared:
    """Decide by the rules of DOMAIN §5 and render; what is in doubt is decided first."""
    in_doubt = message.state is State.SUBMITTING
    if in_doubt and not resend_when_in_doubt(message.purpose):
        return ToGiveUp("IN_DOUBT")
    if who is None:
        return ToWait("UNKNOWN_MEMBER")
    if forbidden := _forbidden(message, who):
        return ToGiveUp("IN_DOUBT") if in_doubt else ToSuppress(forbidden)
    key = TemplateKey(message.template_code, message.channel, who.language)
    template = version_at(templates, key, message.queued_at)
    if template is None:
        return ToGiveUp("NO_TEMPLATE")
    try:
        text = render(template, {**message.variables, "salutation": who.salutation})
    except RenderingFailed:
        return ToGiveUp("RENDERING_FAILED")
    letter = Letter(message.message_id, who.destination(message.channel), text)
    return ToSubmit(letter, template.version)


def _forbidden(message: Claimed, who: Recipient) -> str:
    """Why a rule forbids the message, or nothing."""
    if not who.destination(message.channel):
        return _NO_DESTINATION[message.channel]
    return "" if who.consents(message.channel, message.purpose) else "NO_CONSENT"
