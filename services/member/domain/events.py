"""Events: what happened to members and cards; ids and codes only, never personal data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.member.domain.cards import CardState, ReplacementReason
from services.member.domain.members import EnrolmentChannel, Language


@dataclass(frozen=True, slots=True)
class MemberEnrolled:
    member_id: UUID
    version: int
    home_property: str
    channel: EnrolmentChannel
    language: Language
    tier: str
    enrolled_at: datetime
    referred_by: UUID | None
    card_id: UUID


@dataclass(frozen=True, slots=True)
class CardReplaced:
    member_id: UUID
    version: int
    old_card_id: UUID
    new_card_id: UUID
    reason: ReplacementReason
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class CardStateChanged:
    member_id: UUID
    version: int
    card_id: UUID
    old_state: CardState
    new_state: CardState
    changed_at: datetime


Event = MemberEnrolled | CardReplaced | CardStateChanged
