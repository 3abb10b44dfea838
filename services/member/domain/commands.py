"""Commands: what the member service is asked to do, with the ids and randomness it will use."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.member.domain.card_numbers import CardCandidate
from services.member.domain.cards import CardState, ReplacementReason
from services.member.domain.consents import Consent
from services.member.domain.members import EnrolmentChannel, Profile


@dataclass(frozen=True, slots=True)
class Enrol:
    """Make a member with `member_id` and a card with `card_id`.

    The first free one of each sort of candidates is taken. `referrer_code` and `vouched_by_staff`
    are "" when absent.
    """

    member_id: UUID
    card_id: UUID
    profile: Profile
    channel: EnrolmentChannel
    referrer_code: str
    vouched_by_staff: str
    consents: tuple[Consent, ...]
    card_candidates: tuple[CardCandidate, ...]
    referral_candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReplaceCard:
    """End the member's card and issue one with `new_card_id` at the same instant."""

    member_id: UUID
    new_card_id: UUID
    reason: ReplacementReason
    card_candidates: tuple[CardCandidate, ...]


@dataclass(frozen=True, slots=True)
class ChangeCardState:
    """Freeze, unfreeze, report lost or close one card of a member."""

    member_id: UUID
    card_id: UUID
    state: CardState


Command = Enrol | ReplaceCard | ChangeCardState
