"""Members: what is held on a guest, and who they are to the rest of the suite."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.member.domain.birthdays import Birthday
from services.member.domain.cards import Card
from services.member.domain.consents import Consent


class Title(StrEnum):
    UNSPECIFIED = "UNSPECIFIED"
    MR = "MR"
    MS = "MS"


class Language(StrEnum):
    ZH_CN = "zh-CN"
    EN = "en"


class EnrolmentChannel(StrEnum):
    FRONT_DESK = "FRONT_DESK"
    WEB = "WEB"
    APP = "APP"
    SMS = "SMS"
    CALL_CENTER = "CALL_CENTER"
    MERCHANT = "MERCHANT"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a guest told: `name` as given, `mobile` in E.164, `email` lower-cased or ""."""

    name: str = field(repr=False)
    mobile: str = field(repr=False)
    email: str = field(repr=False)
    birthday: Birthday | None = field(repr=False)
    title: Title
    language: Language
    home_property: str
    time_zone: str
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class Member:
    """One person, one id for life.

    `version` counts this member's events without gaps and is the etag; `changed_at` is the time
    of the last of them. `card` is the card in use: ACTIVE, FROZEN or LOST, None when it was closed.
    """

    member_id: UUID
    version: int
    profile: Profile
    channel: EnrolmentChannel
    tier: str
    referral_code: str
    enrolled_at: datetime
    changed_at: datetime
    card: Card | None = None
    referred_by: UUID | None = None
    vouched_by_staff: str = ""
    consents: tuple[Consent, ...] = ()

    def next_version(self, now: datetime) -> int:
        """Count one more event, which happens now."""
        self.version += 1
        self.changed_at = now
        return self.version


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a checkout needs to know of the member that an identifier names."""

    member_id: UUID
    name: str = field(repr=False)
    birthday: Birthday | None = field(repr=False)
    tier: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contact:
    """What is needed to write to a member, with every consent on record."""

    member_id: UUID
    name: str = field(repr=False)
    mobile: str = field(repr=False)
    email: str = field(repr=False)
    title: Title
    language: Language
    consents: tuple[Consent, ...]
