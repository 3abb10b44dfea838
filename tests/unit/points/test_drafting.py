"""A draft's way to a version, and a version's end: what each step leaves behind, field by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.kernel import Decision, Refusal
from services.points.domain.answers import DraftAnswer, PublishAnswer, RetireAnswer
from services.points.domain.assets import Category
from services.points.domain.commands import (
    ActivateDraft,
    CreateDraft,
    DiscardDraft,
    ProgrammeCommand,
    PublishProgramme,
    RetireProgramme,
    UpdateDraft,
)
from services.points.domain.drafting import decide_programme
from services.points.domain.drafts import OPEN_DRAFTS_MAX, Draft, DraftState
from services.points.domain.events import ProgrammePublished, ProgrammeRetired
from services.points.domain.programme import Programme, Redemption, TopUpTier
from services.points.domain.publishing import Retirement, Shelf, Span
from tests.unit.points.worlds import GOLD, OUTLET_BASE, START, TERMS, programme

DRAFT, OTHER = UUID(int=1), UUID(int=2)
LATER = START + timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def shelf(*open_drafts: Draft, version: int = 4) -> Shelf:
    """A programme of `version` versions, valid since START, of which one was retired."""
    drafts = {draft.draft_id: draft for draft in open_drafts}
    return Shelf(version, START, [], 1, drafts, len(drafts))


def written(**changes: Any) -> Draft:
    """The draft as it was created."""
    draft = Draft(DRAFT, 1, "spring", DraftState.OPEN, coming(), START)
    return replace(draft, **changes)


def coming(**changes: Any) -> Programme:
    """A programme that may follow the latest version."""
    return replace(programme(), valid_from=START, **changes)


def decided(kept: Shelf, command: ProgrammeCommand) -> Decision[Any, Any]:
    return decide_programme(kept, command, LATER)


def refused(kept: Shelf, command: ProgrammeCommand) -> Refusal:
    """The refusal of a command, which must have changed nothing."""
    before = repr(kept)
    with pytest.raises(Refusal) as refusal:
        decided(kept, command)
    assert repr(kept) == before
    return refusal.value


def test_a_new_draft_is_open_at_its_first_revision() -> None:
    kept = shelf(written())
    made = decided(kept, CreateDraft(OTHER, programme(), "autumn"))
    assert made == Decision(DraftAnswer(OTHER, 1))
    draft = Draft(OTHER, 1, "autumn", DraftState.OPEN, programme(), LATER)
    assert kept.drafts == {DRAFT: written(), OTHER: draft}
    assert kept.touched_drafts == {OTHER: draft}
    assert (kept.open_drafts, kept.published, kept.latest_version) == (2, [], 4)


def test_the_hundredth_draft_is_kept_and_no_more() -> None:
    kept = shelf()
    kept.open_drafts = OPEN_DRAFTS_MAX - 1
    decided(kept, CreateDraft(DRAFT, programme(), "the last one"))
    assert kept.open_drafts == 100
    refusal = refused(kept, CreateDraft(OTHER, programme(), "one too many"))
    assert (refusal.reason, refusal.metadata) == ("TOO_MANY_DRAFTS", {"limit": "100"})


def test_an_update_replaces_what_is_drafted_and_counts_its_revision() -> None:
    kept = shelf(written(revision=6))
    other = programme(GOLD, months=12)
    assert decided(kept, UpdateDraft(DRAFT, 6, other, "summer")) == Decision(DraftAnswer(DRAFT, 7))
    assert kept.drafts[DRAFT] == Draft(DRAFT, 7, "summer", DraftState.OPEN, other, LATER)
    assert kept.touched_drafts[DRAFT] is kept.drafts[DRAFT]
    assert kept.open_drafts == 1


def test_a_discarded_draft_makes_room_and_becomes_no_version() -> None:
    kept = shelf(written())
    assert decided(kept, DiscardDraft(DRAFT, 1)) == Decision(DraftAnswer(DRAFT, 2))
    assert kept.drafts[DRAFT] == written(revision=2, state=DraftState.DISCARDED, updated_at=LATER)
    assert kept.touched_drafts == kept.drafts
    assert (kept.open_drafts, kept.latest_version, kept.published) == (0, 4, [])


def test_an_activated_draft_is_the_next_version_and_knows_which() -> None:
    kept = shelf(written(revision=3))
    assert decided(kept, ActivateDraft(DRAFT, 3, 4)) == Decision(
        PublishAnswer(5), (ProgrammePublished(5, START, 6),)
    )
    activated = written(revision=4, state=DraftState.ACTIVATED, updated_at=LATER, version=5)
    assert kept.touched_drafts == {DRAFT: activated}
    assert kept.published == [coming(version=5)]
    assert kept.open_drafts == 0


def test_a_draft_is_no_version_where_another_came_first_or_it_would_begin_too_early() -> None:
    kept = shelf(written())
    refusal = refused(kept, ActivateDraft(DRAFT, 1, 3))
    assert (refusal.reason, refusal.metadata) == ("VERSION_CONFLICT", {"latest_version": "4"})
    kept.drafts[DRAFT].programme = coming()
    kept.latest_valid_from = START + MOMENT
    refusal = refused(kept, ActivateDraft(DRAFT, 1))
    assert refusal.fields[0].field == "programme.valid_from"
    assert refusal.fields[0].rule == (
        "must not lie before the latest version's, 2026-03-10 04:00:00.000001+00:00"
    )


def test_a_draft_may_begin_before_the_latest_version_until_it_is_activated() -> None:
    kept = shelf()
    decided(kept, CreateDraft(DRAFT, programme(), "old"))
    decided(kept, UpdateDraft(DRAFT, 1, programme(GOLD), "old"))
    refusal = refused(kept, ActivateDraft(DRAFT, 2))
    assert refusal.fields[0].field == "programme.valid_from"


@pytest.mark.parametrize(
    ("draft", "reason", "said"),
    [
        (None, "DRAFT_NOT_FOUND", "no programme draft has this id"),
        (
            written(state=DraftState.ACTIVATED, version=7),
            "DRAFT_CLOSED",
            "the draft was activated as version 7 already; make a new one",
        ),
        (
            written(state=DraftState.DISCARDED),
            "DRAFT_CLOSED",
            "the draft was discarded already; make a new one",
        ),
        (
            written(revision=2),
            "DRAFT_CONFLICT",
            "the draft is at revision 2 by now; look at it and try again",
        ),
    ],
)
def test_only_an_open_draft_is_changed_and_only_as_it_was_seen(
    draft: Draft | None, reason: str, said: str
) -> None:
    for command in (
        UpdateDraft(DRAFT, 1, programme(), "late"),
        DiscardDraft(DRAFT, 1),
        ActivateDraft(DRAFT, 1),
    ):
        refusal = refused(shelf(draft) if draft else shelf(), command)
        assert (refusal.reason, refusal.message) == (reason, said)
        if draft is None:
            assert refusal.metadata == {"draft_id": str(DRAFT)}


def test_a_programme_is_published_at_once_as_a_draft_is_activated() -> None:
    kept = shelf()
    wanted = replace(coming(), version=77)
    assert decided(kept, PublishProgramme(wanted)) == Decision(
        PublishAnswer(5), (ProgrammePublished(5, START, 6),)
    )
    second = coming(points_expire_after_months=12)
    assert decided(kept, PublishProgramme(replace(second, valid_from=LATER), 5)) == Decision(
        PublishAnswer(6), (ProgrammePublished(6, LATER, 7),)
    )
    assert [(each.version, each.valid_from) for each in kept.published] == [(5, START), (6, LATER)]
    assert (kept.latest_version, kept.latest_valid_from) == (6, LATER)
    assert kept.spans == {5: Span(START, None), 6: Span(LATER, None)}
    refusal = refused(kept, PublishProgramme(coming()))
    assert refusal.fields[0].field == "programme.valid_from"


REPEATED = {
    "earning_rules.code": (
        programme(GOLD, OUTLET_BASE, GOLD),
        "TIER_GOLD",
    ),
    "redemption.maximum_shares.category": (
        programme(
            redemption=Redemption(
                maximum_shares=(
                    (Category.SPA, 1),
                    (Category.DINING, 2),
                    (Category.SPA, 3),
                    (Category.DINING, 4),
                )
            )
        ),
        "SPA, DINING",
    ),
    "stored_value.top_up_tiers.from_minor": (
        programme(terms=replace(TERMS, top_up_tiers=(TopUpTier(50, 1), TopUpTier(50, 2)))),
        "50",
    ),
}


@pytest.mark.parametrize("field", REPEATED)
def test_what_must_differ_is_named_wherever_it_is_drafted(field: str) -> None:
    wrong, twice = REPEATED[field]
    for command in (
        CreateDraft(OTHER, wrong, ""),
        UpdateDraft(DRAFT, 1, wrong, ""),
        PublishProgramme(replace(wrong, valid_from=START)),
    ):
        refusal = refused(shelf(written()), command)
        assert refusal.reason == "INVALID_FIELD"
        assert refusal.fields[0].field == f"programme.{field}"
        assert refusal.fields[0].rule == f"must differ; repeated: {twice}"


def test_a_rule_ends_after_it_begins() -> None:
    for since, until in ((START, START), (START, START - MOMENT)):
        wrong = programme(OUTLET_BASE, replace(GOLD, valid_from=since, valid_until=until))
        refusal = refused(shelf(), CreateDraft(OTHER, wrong, ""))
        assert refusal.fields[0].field == "programme.earning_rules[1].valid_until"
        assert refusal.fields[0].rule == "must lie after valid_from"
    spans: list[tuple[datetime | None, datetime | None]] = [
        (START, START + MOMENT),
        (None, START),
        (START, None),
        (None, None),
    ]
    for begins, ends in spans:
        fine = programme(OUTLET_BASE, replace(GOLD, valid_from=begins, valid_until=ends))
        decided(shelf(), CreateDraft(OTHER, fine, ""))


def test_a_rule_is_looked_at_where_those_before_it_have_no_end() -> None:
    wrong = replace(GOLD, code="SPRING", valid_from=START, valid_until=START)
    refusal = refused(shelf(), CreateDraft(OTHER, programme(OUTLET_BASE, GOLD, wrong), ""))
    assert refusal.fields[0].field == "programme.earning_rules[2].valid_until"


def versions() -> Shelf:
    """The first version from the beginning, the second from START on, the third from tomorrow."""
    kept = Shelf(3, START + timedelta(days=1), [], 2)
    kept.spans = {
        1: Span(BEGINNING, None),
        2: Span(START, None),
        3: Span(START + timedelta(days=1), None),
    }
    return kept


def test_a_version_is_retired_at_once_or_later_and_counted() -> None:
    kept = versions()
    tomorrow = LATER + timedelta(days=1)
    assert decided(kept, RetireProgramme(2, tomorrow)) == Decision(
        RetireAnswer(tomorrow), (ProgrammeRetired(2, tomorrow, 6),)
    )
    assert decided(kept, RetireProgramme(2)) == Decision(
        RetireAnswer(LATER), (ProgrammeRetired(2, LATER, 7),)
    )
    assert kept.retired == [Retirement(3, 2, tomorrow), Retirement(4, 2, LATER)]
    assert kept.retirements == 4
    assert kept.spans == versions().spans | {2: Span(START, LATER)}


def test_what_was_never_published_or_has_ended_is_not_retired() -> None:
    kept = versions()
    refusal = refused(kept, RetireProgramme(9))
    assert (refusal.reason, refusal.message) == (
        "PROGRAMME_NOT_FOUND",
        "no programme has version 9",
    )
    kept.spans[2] = Span(START, LATER)
    refusal = refused(kept, RetireProgramme(2))
    assert (refusal.reason, refusal.metadata) == ("PROGRAMME_RETIRED", {"version": "2"})
    kept.spans[2] = Span(START, LATER + MOMENT)
    decided(kept, RetireProgramme(2))


def test_nothing_is_retired_in_the_past() -> None:
    refusal = refused(versions(), RetireProgramme(2, LATER - MOMENT))
    assert refusal.fields[0].field == "valid_until"
    assert refusal.fields[0].rule == "must not lie in the past; leave it out for now"
    decided(versions(), RetireProgramme(2, LATER))


def test_some_version_without_an_end_must_have_begun_by_then() -> None:
    kept = versions()
    kept.spans[2] = Span(START, LATER + timedelta(days=30))
    third = kept.spans[3].valid_from
    refusal = refused(kept, RetireProgramme(1, third - MOMENT))
    assert (refusal.reason, refusal.metadata) == ("PROGRAMME_NEEDED", {"version": "1"})
    decided(kept, RetireProgramme(1, third))
    refusal = refused(kept, RetireProgramme(3, third + timedelta(days=1)))
    assert refusal.metadata == {"version": "3"}


def test_a_version_published_in_the_same_batch_can_be_retired() -> None:
    kept = Shelf(1, BEGINNING, [], spans={1: Span(BEGINNING, None)})
    decided(kept, PublishProgramme(coming()))
    assert decided(kept, RetireProgramme(2)).answer == RetireAnswer(LATER)
    assert kept.sequence == 3
