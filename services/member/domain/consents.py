"""Consents: per channel and purpose, with when and how they were given or withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.member.domain import errors


class ContactChannel(StrEnum):
    SMS = "SMS"
    EMAIL = "EMAIL"


class ContactPurpose(StrEnum):
    SERVICE = "SERVICE"
    MARKETING = "MARKETING"
    SURVEY = "SURVEY"


@dataclass(frozen=True, slots=True)
class Consent:
    """One decision of a guest; marketing and surveys need `granted` said in so many words."""

    channel: ContactChannel
    purpose: ContactPurpose
    granted: bool


def consents_at_enrolment(said: Sequence[Consent]) -> tuple[Consent, ...]:
    """Return what holds after enrolling: what was said, and SERVICE unless refused (DOMAIN §2).

    Raises INVALID_FIELD when one channel and purpose is decided twice.
    """
    decided = {(consent.channel, consent.purpose): consent for consent in said}
    if len(decided) != len(said):
        raise errors.invalid_field("consents", "must decide a channel and purpose only once")
    for channel in ContactChannel:
        implied = Consent(channel, ContactPurpose.SERVICE, granted=True)
        decided.setdefault((channel, ContactPurpose.SERVICE), implied)
    return tuple(decided[key] for key in sorted(decided))
