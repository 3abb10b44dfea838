"""Drafting: a draft's way from being written to becoming a version or being discarded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from chassis.kernel import Decision
from services.points.domain import errors
from services.points.domain.answers import DraftAnswer, ProgrammeAnswer, PublishAnswer
from services.points.domain.commands import (
    ActivateDraft,
    CreateDraft,
    DiscardDraft,
    ProgrammeCommand,
    PublishProgramme,
    RetireProgramme,
    UpdateDraft,
)
from services.points.domain.drafts import OPEN_DRAFTS_MAX, Draft, DraftState
from services.points.domain.events import ProgrammeEvent
from services.points.domain.publishing import (
    Shelf,
    check_programme,
    publish,
    put_version,
    retire,
)


def decide_programme(
    shelf: Shelf, command: ProgrammeCommand, now: datetime
) -> Decision[ProgrammeAnswer, ProgrammeEvent]:
    """Decide one command on the programme; a raised Refusal has changed nothing."""
    decided: Decision[ProgrammeAnswer, ProgrammeEvent] = _DECIDING[type(command)](
        shelf, command, now
    )
    return decided


def _create(shelf: Shelf, command: CreateDraft, now: datetime) -> Decision[DraftAnswer, Any]:
    """Keep a new draft; refuses TOO_MANY_DRAFTS, and what no version could be."""
    check_programme(command.programme, None)
    if shelf.open_drafts >= OPEN_DRAFTS_MAX:
        raise errors.too_many_drafts(OPEN_DRAFTS_MAX)
    draft = Draft(command.draft_id, 1, command.title, DraftState.OPEN, command.programme, now)
    shelf.drafts[draft.draft_id] = draft
    shelf.open_drafts += 1
    return _touched(shelf, draft)


def _update(shelf: Shelf, command: UpdateDraft, now: datetime) -> Decision[DraftAnswer, Any]:
    """Replace an open draft's content."""
    draft = _open(shelf, command)
    check_programme(command.programme, None)
    draft.programme, draft.title = command.programme, command.title
    return _changed(shelf, draft, now)


def _discard(shelf: Shelf, command: DiscardDraft, now: datetime) -> Decision[DraftAnswer, Any]:
    """Close a draft that won't be used."""
    draft = _open(shelf, command)
    _close(shelf, draft, DraftState.DISCARDED)
    return _changed(shelf, draft, now)


def _activate(shelf: Shelf, command: ActivateDraft, now: datetime) -> Decision[PublishAnswer, Any]:
    """Make an open draft the next version; refuses as publishing does."""
    draft = _open(shelf, command)
    decision = put_version(shelf, draft.programme, command.expected_version)
    draft.version = shelf.latest_version
    _close(shelf, draft, DraftState.ACTIVATED)
    _changed(shelf, draft, now)
    return decision


def _open(shelf: Shelf, command: UpdateDraft | DiscardDraft | ActivateDraft) -> Draft:
    """The open draft that a command names, as it was seen; refuses DRAFT_..."""
    draft = shelf.drafts.get(command.draft_id)
    if draft is None:
        raise errors.draft_not_found(command.draft_id)
    if draft.state is DraftState.ACTIVATED:
        raise errors.draft_closed(f"activated as version {draft.version}")
    if draft.state is DraftState.DISCARDED:
        raise errors.draft_closed("discarded")
    if draft.revision != command.expected_revision:
        raise errors.draft_conflict(draft.revision)
    return draft


def _close(shelf: Shelf, draft: Draft, state: DraftState) -> None:
    draft.state = state
    shelf.open_drafts -= 1


def _changed(shelf: Shelf, draft: Draft, now: datetime) -> Decision[DraftAnswer, Any]:
    draft.revision += 1
    draft.updated_at = now
    return _touched(shelf, draft)


def _touched(shelf: Shelf, draft: Draft) -> Decision[DraftAnswer, Any]:
    shelf.touched_drafts[draft.draft_id] = draft
    return Decision(DraftAnswer(draft.draft_id, draft.revision))


_Deciding = Callable[[Shelf, Any, datetime], Decision[Any, Any]]
_DECIDING: Final[Mapping[type[ProgrammeCommand], _Deciding]] = {
    PublishProgramme: publish,
    CreateDraft: _create,
    UpdateDraft: _update,
    DiscardDraft: _discard,
    ActivateDraft: _activate,
    RetireProgramme: retire,
}
