"""Deciding in wire form: each answer and each event is made into its message once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from chassis.kernel import Decision
from chassis.storage.outbox import OutboxEvent
from services.points.converters.answers import to_response
from services.points.converters.events import to_outbox, to_programme_event
from services.points.converters.programme_answers import to_programme_response
from services.points.domain.answers import Answer, ProgrammeAnswer
from services.points.domain.books import Books
from services.points.domain.commands import Command, ProgrammeCommand
from services.points.domain.events import Event, ProgrammeEvent
from services.points.domain.progress import Acknowledge, Progress
from services.points.domain.publishing import Shelf

Deciding = Callable[[Books, Command, datetime], Decision[Answer, Event]]


def answering(
    decide: Deciding,
) -> Callable[[Books, Command, datetime], Decision[Message, OutboxEvent]]:
    """Return `decide` with its answer and events in wire form, each made once."""

    def answer(books: Books, command: Command, now: datetime) -> Decision[Message, OutboxEvent]:
        decision = decide(books, command, now)
        assert decision.answer is not None, "no command of the ledger is a proof that can fail"
        response = to_response(decision.answer)
        events = tuple([to_outbox(event, response) for event in decision.events])
        return Decision(response, events)

    return answer


def answering_programme(
    decide: Callable[
        [Shelf, ProgrammeCommand, datetime], Decision[ProgrammeAnswer, ProgrammeEvent]
    ],
) -> Callable[[Shelf, ProgrammeCommand, datetime], Decision[Message, OutboxEvent]]:
    """Return the decider of programmes with its answer and events in wire form."""

    def answer(
        shelf: Shelf, command: ProgrammeCommand, now: datetime
    ) -> Decision[Message, OutboxEvent]:
        decision = decide(shelf, command, now)
        assert decision.answer is not None, "nothing of a programme is a proof that can fail"
        events = tuple(to_programme_event(event, now) for event in decision.events)
        return Decision(to_programme_response(command, decision.answer), events)

    return answer


def acknowledging(
    progress: Progress, command: Acknowledge, _now: datetime
) -> Decision[Empty, OutboxEvent]:
    """Note how far an import has come; there is nothing to refuse and nobody to tell."""
    progress.acknowledged.append(command)
    return Decision(Empty())
