"""What the gateway keeps of a write it passes on, so that a repetition passes on the same.

Enrolments, top-ups and claims are remembered by the service that does them. The gateway only notes
what it adds to the till's request, none of it personal, and whether a repetition is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from chassis.kernel import Decision, Refusal
from gateway.domain.checkouts import Till


@dataclass(frozen=True, slots=True)
class Note:
    """What was added: the till, its property's zone, and of whom the identifier spoke.

    `member_id` is None and `tier` empty for an enrolment. `to_member_id` is a transfer's receiver,
    `tender` how a top-up was paid: 0 in notes from before it was kept.
    """

    till: Till
    time_zone: str
    category: int
    member_id: UUID | None = None
    tier: str = ""
    language: int = 0
    to_member_id: UUID | None = None
    tender: int = 0


@dataclass(frozen=True, slots=True)
class TakeNote:
    """Note a write before it is passed on; with `refusal` it is refused instead, for good."""

    note: Note
    refusal: Refusal | None = None


def take_note(_state: None, command: TakeNote, _now: datetime) -> Decision[Note, None]:
    """Decide a note; raises the refusal it carries, which is then remembered."""
    if command.refusal is not None:
        raise command.refusal
    return Decision(command.note)


def downstream_id(merchant_id: UUID, method: str, request_id: str) -> UUID:
    """Return the id that the services know this write by: the same for each repetition."""
    return uuid5(merchant_id, f"{method}:{request_id}")
