"""A message as readers see it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notify.domain.messages import Channel, State


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """All that is kept of a message, but for what its text is made from."""

    message_id: UUID
    member_id: UUID
    channel: Channel
    template_code: str
    template_version: int
    state: State
    reason: str
    event_id: UUID
    event_type: str
    queued_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    attempts: int
    parts: int
