"""What the sender records of a message's life, and what an operator adds; imperative."""

from dataclasses import dataclass
from uuid import UUID

from services.notify.domain.receipts import Verdict
from services.notify.domain.templates import Template


@dataclass(frozen=True, slots=True)
class RecordSent:
    """A provider took the message; `part_ids` are its names for the parts, none for e-mail."""

    member_id: UUID
    message_id: UUID
    provider: str
    part_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """The message is given up for `reason` by the claim of that `attempt`."""

    member_id: UUID
    message_id: UUID
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordSuppressed:
    """A rule keeps the message from being sent."""

    member_id: UUID
    message_id: UUID
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """A provider tells what became of one part."""

    member_id: UUID
    message_id: UUID
    provider: str
    provider_message_id: str
    verdict: Verdict
    outcome: str


Command = RecordSent | RecordFailed | RecordSuppressed | RecordReceipt


@dataclass(frozen=True, slots=True)
class AddTemplate:
    """A further version of a text."""

    template: Template
