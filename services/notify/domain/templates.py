"""Templates as values: what identifies one, and what a rendered message is."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum

from services.notify.domain.messages import Channel

SMS_CHARACTERS_MAX = 700
BODY_CHARACTERS_MAX = 20_000


class Language(IntEnum):
    """The numbers are those of the contract."""

    ZH_CN = 1
    EN = 2


@dataclass(frozen=True, slots=True)
class TemplateKey:
    """One text in one language for one channel."""

    code: str
    channel: Channel
    language: Language


@dataclass(frozen=True, slots=True)
class Template:
    """One immutable version (0: not saved). Only `variables` may be used in its texts."""

    key: TemplateKey
    version: int
    subject: str
    body: str
    variables: tuple[str, ...] = field(default=())
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text for one guest; it lives as long as its submission and is kept nowhere."""

    subject: str
    body: str


@dataclass(slots=True)
class Shelf:
    """State of a batch of new templates: the newest version of each text, and what is added."""

    versions: dict[TemplateKey, int] = field(default_factory=dict)
    added: list[Template] = field(default_factory=list)

    def add(self, template: Template, now: datetime) -> Template:
        """Give a template its version and keep it."""
        version = self.versions.get(template.key, 0) + 1
        self.versions[template.key] = version
        self.added.append(replace(template, version=version, created_at=now))
        return self.added[-1]


def version_at(versions: Iterable[Template], key: TemplateKey, moment: datetime) -> Template | None:
    """The version in force at a moment: a message keeps to the one of when it was queued."""
    made = [
        each
        for each in versions
        if each.key == key and each.created_at is not None and each.created_at <= moment
    ]
    return max(made, key=lambda each: each.version, default=None)
