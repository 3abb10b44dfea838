"""Answers about the programme into messages."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import programme_service_pb2

from services.points.converters.values import to_stamp
from services.points.domain.answers import (
    DraftAnswer,
    ProgrammeAnswer,
    PublishAnswer,
    RetireAnswer,
)
from services.points.domain.commands import (
    ActivateDraft,
    CreateDraft,
    ProgrammeCommand,
    UpdateDraft,
)

PROGRAMME_RESPONSE_TYPES: Final[tuple[type[Message], ...]] = (
    pb.PublishProgrammeResponse,
    programme_service_pb2.CreateProgrammeDraftResponse,
    programme_service_pb2.UpdateProgrammeDraftResponse,
    programme_service_pb2.DiscardProgrammeDraftResponse,
    programme_service_pb2.ActivateProgrammeResponse,
    programme_service_pb2.RetireProgrammeResponse,
)


def to_programme_response(command: ProgrammeCommand, answer: ProgrammeAnswer) -> Message:
    """The message of an answer about the programme, which depends on what was asked."""
    if isinstance(answer, PublishAnswer):
        if isinstance(command, ActivateDraft):
            return programme_service_pb2.ActivateProgrammeResponse(version=answer.version)
        return pb.PublishProgrammeResponse(version=answer.version)
    if isinstance(answer, RetireAnswer):
        return programme_service_pb2.RetireProgrammeResponse(
            valid_until=to_stamp(answer.valid_until)
        )
    return _draft(command, answer)


def _draft(command: ProgrammeCommand, answer: DraftAnswer) -> Message:
    if isinstance(command, CreateDraft):
        return programme_service_pb2.CreateProgrammeDraftResponse(
            draft_id=str(answer.draft_id), revision=answer.revision
        )
    if isinstance(command, UpdateDraft):
        return programme_service_pb2.UpdateProgrammeDraftResponse(revision=answer.revision)
    return programme_service_pb2.DiscardProgrammeDraftResponse(revision=answer.revision)
