"""Deciding in wire form: each answer and each event is made into its message once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.kernel import Decision
from chassis.storage.outbox import OutboxEvent
from services.points.converters.answers import to_response
from services.points.converters.events import to_outbox, to_published
from services.points.domain.answers import Answer, PublishAnswer
from services.points.domain.books import Books
from services.points.domain.commands import Command, PublishProgramme
from services.points.domain.events import Event, ProgrammePublished
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


def answering_publish(
    publish: Callable[
        [Shelf, PublishProgramme, datetime], Decision[PublishAnswer, ProgrammePublished]
    ],
) -> Callable[
    [Shelf, PublishProgramme, datetime], Decision[pb.PublishProgrammeResponse, OutboxEvent]
]:
    """Return `publish` with its answer and event in wire form."""

    def answer(
        shelf: Shelf, command: PublishProgramme, now: datetime
    ) -> Decision[pb.PublishProgrammeResponse, OutboxEvent]:
        decision = publish(shelf, command, now)
        assert decision.answer is not None, "publishing is no proof that can fail"
        events = tuple(to_published(event, now) for event in decision.events)
        return Decision(pb.PublishProgrammeResponse(version=decision.answer.version), events)

    return answer


def acknowledging(
    progress: Progress, command: Acknowledge, _now: datetime
) -> Decision[Empty, OutboxEvent]:
    """Note how far an import has come; there is nothing to refuse and nobody to tell."""
    progress.acknowledged.append(command)
    return Decision(Empty())
