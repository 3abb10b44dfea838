"""How a guest is addressed, from the member service's contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from huitouke.member.v1 import member_pb2

from services.notify.domain.messages import Channel, Purpose
from services.notify.domain.templates import Language

_TITLES: Mapping[tuple[Language, int], str] = {
    (Language.ZH_CN, member_pb2.TITLE_MR): "先生",
    (Language.ZH_CN, member_pb2.TITLE_MS): "女士",
    (Language.EN, member_pb2.TITLE_MR): "Mr",
    (Language.EN, member_pb2.TITLE_MS): "Ms",
}
_CHANNELS = {
    Channel.SMS: member_pb2.CONTACT_CHANNEL_SMS,
    Channel.EMAIL: member_pb2.CONTACT_CHANNEL_EMAIL,
}
_PURPOSES = {
    Purpose.SERVICE: member_pb2.CONTACT_PURPOSE_SERVICE,
    Purpose.MARKETING: member_pb2.CONTACT_PURPOSE_MARKETING,
}


@dataclass(frozen=True, slots=True, repr=False)
class Recipient:
    """Whom a message goes to, for as long as its submission takes. Never logged: it has no repr."""

    salutation: str
    language: Language
    mobile: str
    email: str
    granted: frozenset[tuple[int, int]]

    def destination(self, channel: Channel) -> str:
        """The mobile or the address; empty where there is none."""
        return self.mobile if channel is Channel.SMS else self.email

    def consents(self, channel: Channel, purpose: Purpose) -> bool:
        """Whether the guest may be written to for this purpose on this channel."""
        return (_CHANNELS[channel], _PURPOSES[purpose]) in self.granted


def recipient(contact: member_pb2.Contact) -> Recipient:
    """The contact as a recipient; zh-CN unless English is asked for."""
    language = Language.EN if int(contact.language) == Language.EN else Language.ZH_CN
    granted = frozenset((c.channel, c.purpose) for c in contact.consents if c.granted)
    return Recipient(
        _salutation(contact.name, contact.title, language),
        language,
        contact.mobile,
        contact.email,
        granted,
    )


def _salutation(name: str, title: int, language: Language) -> str:
    """张伟先生, Ms Alice Smith; without a title 张伟贵宾 would be odd, so it is 贵宾 or "Guest"."""
    word = _TITLES.get((language, title))
    if language is Language.ZH_CN:
        return f"{name}{word}" if word else "贵宾"
    return f"{word} {name}" if word else "Guest"
