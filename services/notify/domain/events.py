"""What happened to messages, past tense, with the member's version of each."""

from dataclasses import dataclass
from uuid import UUID

from services.notify.domain.messages import Channel


@dataclass(frozen=True, slots=True)
class MessageSent:
    """A provider took a message."""

    member_id: UUID
    version: int
    message_id: UUID
    channel: Channel
    template_code: str


@dataclass(frozen=True, slots=True)
class MessageDelivered:
    """Receipts confirmed every part of a message."""

    member_id: UUID
    version: int
    message_id: UUID


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """A message was given up."""

    member_id: UUID
    version: int
    message_id: UUID
    reason: str


Event = MessageSent | MessageDelivered | MessageFailed
