"""Drafts, lists of programmes and dry runs, in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from huitouke.points.v1 import points_service_pb2
from huitouke.points.v1 import programme_service_pb2 as pb

from services.points.converters.programmes import from_programme, to_programme
from services.points.converters.values import to_instant, to_stamp
from services.points.domain import errors
from services.points.domain.commands import (
    ActivateDraft,
    CreateDraft,
    DiscardDraft,
    ProgrammeCommand,
    PublishProgramme,
    RetireProgramme,
    UpdateDraft,
)
from services.points.domain.drafts import Draft, DraftState
from services.points.domain.dry_runs import Tally, largest_first
from services.points.domain.programme import Programme, Programmes

RANGE_MAX = timedelta(days=400)
CHECKOUTS_MAX: Final = 1_000_000

ProgrammeRequest = (
    points_service_pb2.PublishProgrammeRequest
    | pb.CreateProgrammeDraftRequest
    | pb.UpdateProgrammeDraftRequest
    | pb.DiscardProgrammeDraftRequest
    | pb.ActivateProgrammeRequest
    | pb.RetireProgrammeRequest
)


class Listed(Protocol):
    """One draft (of version 0) or version, without its content."""

    @property
    def version(self) -> int: ...
    @property
    def draft_id(self) -> UUID | None: ...
    @property
    def title(self) -> str: ...
    @property
    def valid_from(self) -> datetime: ...
    @property
    def valid_until(self) -> datetime | None: ...
    @property
    def rules(self) -> int: ...


def to_programme_command(request: ProgrammeRequest, fresh_id: UUID) -> ProgrammeCommand:
    """The command of a validated request; a new draft gets `fresh_id`. Refuses what can't be."""
    command: ProgrammeCommand = _COMMANDS[type(request)](request, fresh_id)
    return command


def _to_publish(
    request: points_service_pb2.PublishProgrammeRequest, _fresh: UUID
) -> PublishProgramme:
    return PublishProgramme(to_programme(request.programme), request.expected_version)


def _to_create(request: pb.CreateProgrammeDraftRequest, fresh_id: UUID) -> CreateDraft:
    return CreateDraft(fresh_id, to_programme(request.programme), request.title)


def _to_update(request: pb.UpdateProgrammeDraftRequest, _fresh: UUID) -> UpdateDraft:
    programme = to_programme(request.programme)
    return UpdateDraft(UUID(request.draft_id), request.expected_revision, programme, request.title)


def _to_discard(request: pb.DiscardProgrammeDraftRequest, _fresh: UUID) -> DiscardDraft:
    return DiscardDraft(UUID(request.draft_id), request.expected_revision)


def _to_activate(request: pb.ActivateProgrammeRequest, _fresh: UUID) -> ActivateDraft:
    return ActivateDraft(
        UUID(request.draft_id), request.expected_revision, request.expected_version
    )


def _to_retire(request: pb.RetireProgrammeRequest, _fresh: UUID) -> RetireProgramme:
    valid_until = None
    if request.HasField("valid_until"):
        valid_until = to_instant(request.valid_until, "valid_until")
    return RetireProgramme(request.version, valid_until)


def posted_range(request: pb.DryRunProgrammeRequest) -> tuple[datetime, datetime]:
    """The range of a dry run; refuses one that is empty or longer than 400 days."""
    since = to_instant(request.posted_from, "posted_from")
    until = to_instant(request.posted_until, "posted_until")
    if not since < until <= since + RANGE_MAX:
        raise errors.invalid_field(
            "posted_until", "must lie after posted_from, by 400 days at most"
        )
    return since, until


def state_of(
    version: int,
    valid_from: datetime,
    valid_until: datetime | None,
    active_version: int,
    now: datetime,
) -> pb.ProgrammeState.ValueType:
    """Where a version stands at `now`; 0 is a draft."""
    if not version:
        return pb.PROGRAMME_STATE_DRAFT
    if valid_until is not None and valid_until <= now:
        return pb.PROGRAMME_STATE_RETIRED
    if version == active_version:
        return pb.PROGRAMME_STATE_ACTIVE
    if valid_from > now:
        return pb.PROGRAMME_STATE_SCHEDULED
    return pb.PROGRAMME_STATE_SUPERSEDED


def to_summary(each: Listed, active_version: int, now: datetime) -> pb.ProgrammeSummary:
    return pb.ProgrammeSummary(
        version=each.version,
        draft_id=str(each.draft_id or ""),
        title=each.title,
        state=state_of(each.version, each.valid_from, each.valid_until, active_version, now),
        valid_from=to_stamp(each.valid_from),
        valid_until=to_stamp(each.valid_until) if each.valid_until else None,
        rules=each.rules,
    )


def to_draft(draft: Draft, known: Programmes, now: datetime) -> pb.ProgrammeDraft:
    """The draft, its state that of the version it became, where it did."""
    version, programme = draft.version or 0, draft.programme
    active = known.valid_at(now).version
    state = state_of(version, programme.valid_from, known.end_of(version), active, now)
    if draft.state is DraftState.DISCARDED:
        state = pb.PROGRAMME_STATE_DISCARDED
    return pb.ProgrammeDraft(
        draft_id=str(draft.draft_id),
        revision=draft.revision,
        title=draft.title,
        state=state,
        version=version,
        updated_at=to_stamp(draft.updated_at),
        programme=from_programme(programme),
    )


def to_difference(
    tally: Tally,
    tried: Programme,
    *,
    done: bool = False,
    complete: bool = False,
    next_member: UUID | None = None,
    stopped_at: datetime | None = None,
) -> pb.DryRunProgrammeResponse:
    """What a dry run of `tried` has found so far."""
    budgets = {rule.code: rule.budget_points for rule in tried.earning_rules}
    return pb.DryRunProgrammeResponse(
        done=done,
        complete=complete,
        next_member=str(next_member or ""),
        stopped_at=to_stamp(stopped_at) if stopped_at else None,
        checkouts=tally.checkouts,
        checkouts_changed=tally.checkouts_changed,
        checkouts_without_facts=tally.checkouts_without_facts,
        points_recorded=tally.points_recorded,
        points_tried=tally.points_tried,
        rules=[
            pb.RuleDifference(
                rule_code=code,
                checkouts_recorded=rule.checkouts_recorded,
                checkouts_tried=rule.checkouts_tried,
                points_recorded=rule.points_recorded,
                points_tried=rule.points_tried,
                faults=rule.faults,
                budget_points=budgets.get(code, 0),
            )
            for code, rule in sorted(tally.rules.items())
        ],
        examples=[
            pb.DryRunExample(
                checkout_id=str(example.checkout_id),
                member_id=str(example.member_id),
                points_recorded=example.points_recorded,
                points_tried=example.points_tried,
            )
            for example in largest_first(tally)
        ],
    )


_COMMANDS: Final[Mapping[type[ProgrammeRequest], Callable[[Any, UUID], ProgrammeCommand]]] = {
    points_service_pb2.PublishProgrammeRequest: _to_publish,
    pb.CreateProgrammeDraftRequest: _to_create,
    pb.UpdateProgrammeDraftRequest: _to_update,
    pb.DiscardProgrammeDraftRequest: _to_discard,
    pb.ActivateProgrammeRequest: _to_activate,
    pb.RetireProgrammeRequest: _to_retire,
}
