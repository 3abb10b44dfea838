"""Enumerations of the wire and of the domain, each pair once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from huitouke.member.v1 import member_pb2, member_service_pb2
from huitouke.type.v1 import language_pb2

from services.member.domain.cards import CardState, ReplacementReason
from services.member.domain.consents import ContactChannel, ContactPurpose
from services.member.domain.members import EnrolmentChannel, Language, Title

D = TypeVar("D", bound=StrEnum)


class EnumPair(Generic[D]):
    """One enumeration on both sides; KeyError for what the other side doesn't know."""

    def __init__(self, pairs: Mapping[D, int]) -> None:
        self._wire: Final = dict(pairs)
        self._domain: Final = {number: value for value, number in pairs.items()}

    def to_wire(self, value: D) -> Any:
        return self._wire[value]

    def to_domain(self, number: int, default: D | None = None) -> D:
        """Return the domain's value; `default` for 0 (not said) where one is given."""
        if number == 0 and default is not None:
            return default
        return self._domain[number]


TITLES: Final = EnumPair(
    {
        Title.UNSPECIFIED: member_pb2.TITLE_UNSPECIFIED,
        Title.MR: member_pb2.TITLE_MR,
        Title.MS: member_pb2.TITLE_MS,
    }
)
LANGUAGES: Final = EnumPair(
    {
        Language.ZH_CN: language_pb2.LANGUAGE_ZH_CN,
        Language.EN: language_pb2.LANGUAGE_EN,
    }
)
CHANNELS: Final = EnumPair(
    {
        channel: member_pb2.EnrolmentChannel.Value(f"ENROLMENT_CHANNEL_{channel.name}")
        for channel in EnrolmentChannel
    }
)
CARD_STATES: Final = EnumPair(
    {state: member_pb2.CardState.Value(f"CARD_STATE_{state.name}") for state in CardState}
)
REPLACEMENT_REASONS: Final = EnumPair(
    {
        reason: member_service_pb2.ReplacementReason.Value(f"REPLACEMENT_REASON_{reason.name}")
        for reason in ReplacementReason
    }
)
CONTACT_CHANNELS: Final = EnumPair(
    {
        channel: member_pb2.ContactChannel.Value(f"CONTACT_CHANNEL_{channel.name}")
        for channel in ContactChannel
    }
)
CONTACT_PURPOSES: Final = EnumPair(
    {
        purpose: member_pb2.ContactPurpose.Value(f"CONTACT_PURPOSE_{purpose.name}")
        for purpose in ContactPurpose
    }
)
