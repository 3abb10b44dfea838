"""The book of one batch: the locked members, their messages, and what has changed."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.notify.domain.messages import ENDS, Channel, State, may_become

PartKey = tuple[str, str]
"""(provider, the provider's id of the part)."""


@dataclass(slots=True)
class Message:
    """What deciding needs of a message's row."""

    member_id: UUID
    message_id: UUID
    channel: Channel
    template_code: str
    state: State
    attempts: int
    parts: int
    reason: str = ""
    sent_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it still waits for a provider to take it."""
        return self.state in (State.QUEUED, State.SUBMITTING)

    def become(self, state: State, now: datetime, reason: str = "") -> None:
        """Take one step of its life; the caller has asked whether the step is there."""
        assert may_become(self.state, state), f"{self.state.name} never becomes {state.name}"
        self.state, self.reason = state, reason
        if state is State.SENT:
            self.sent_at = now
        elif state in ENDS:
            self.ended_at = now


@dataclass(slots=True)
class Part:
    """One short message as its provider calls it; `outcome` is the last receipt's, or empty."""

    provider: str
    provider_message_id: str
    member_id: UUID
    message_id: UUID
    number: int
    outcome: str = ""


@dataclass(slots=True)
class Book:
    """State of one batch; changes are kept by key, for the repository to save."""

    versions: dict[UUID, int] = field(default_factory=dict)
    messages: dict[UUID, Message] = field(default_factory=dict)
    parts: dict[PartKey, Part] = field(default_factory=dict)
    parts_by_message: dict[UUID, dict[PartKey, Part]] = field(default_factory=dict)
    changed_members: set[UUID] = field(default_factory=set)
    changed_messages: set[UUID] = field(default_factory=set)
    new_parts: set[PartKey] = field(default_factory=set)
    changed_parts: set[PartKey] = field(default_factory=set)
    settled_receipts: set[PartKey] = field(default_factory=set)

    def next_version(self, member_id: UUID) -> int:
        """Draw the version of the member's next event."""
        self.versions[member_id] += 1
        self.changed_members.add(member_id)
        return self.versions[member_id]

    def move(self, message: Message, state: State, now: datetime, reason: str = "") -> None:
        """Take a message one step further."""
        message.become(state, now, reason)
        self.changed_messages.add(message.message_id)

    def add_part(self, part: Part) -> None:
        """Keep a part that a provider has just named; a name that it uses again means this one."""
        self.new_parts.add(self.know_part(part))

    def know_part(self, part: Part) -> PartKey:
        """Keep a part as it is stored; returns what it is known by."""
        key = (part.provider, part.provider_message_id)
        former = self.parts.get(key)
        if former is not None:
            del self.parts_by_message[former.message_id][key]
        self.parts[key] = part
        self.parts_by_message.setdefault(part.message_id, {})[key] = part
        return key

    def note_outcome(self, part: Part, outcome: str) -> None:
        """Keep what a receipt said of a part."""
        part.outcome = outcome
        self.changed_parts.add((part.provider, part.provider_message_id))

    def parts_of(self, message_id: UUID) -> list[Part]:
        return list(self.parts_by_message.get(message_id, {}).values())
