"""Publishing: how the programme gets its next version, by a draft or at once, and loses one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from chassis.kernel import Decision
from services.points.domain import errors
from services.points.domain.answers import PublishAnswer, RetireAnswer
from services.points.domain.commands import PublishProgramme, RetireProgramme
from services.points.domain.drafts import Draft
from services.points.domain.events import ProgrammePublished, ProgrammeRetired
from services.points.domain.programme import Programme
from services.points.domain.rules import EarningRule

FIXED_DAY_YEARS_MAX: Final = 20
"""As long as the longest number of months that points may live."""


class Span(NamedTuple):
    """When a version decides; `valid_until` is None where it is not retired."""

    valid_from: datetime
    valid_until: datetime | None


class Retirement(NamedTuple):
    """The end of a version; the one with the highest number counts."""

    number: int
    version: int
    valid_until: datetime


@dataclass(slots=True)
class Shelf:
    """The programme's locked head: its latest version; `published` are those still to be saved.

    `drafts` has those that commands of the batch name and the new ones, `spans` every version where
    one is to be retired.
    """

    latest_version: int
    latest_valid_from: datetime | None
    published: list[Programme]
    retirements: int = 0
    drafts: dict[UUID, Draft] = field(default_factory=dict)
    open_drafts: int = 0
    touched_drafts: dict[UUID, Draft] = field(default_factory=dict)
    spans: dict[int, Span] = field(default_factory=dict)
    retired: list[Retirement] = field(default_factory=list)

    @property
    def sequence(self) -> int:
        """How many events the programme has had."""
        return self.latest_version + self.retirements


def publish(
    shelf: Shelf, command: PublishProgramme, now: datetime
) -> Decision[PublishAnswer, ProgrammePublished]:
    """Give the programme the next version number; it applies from its own `valid_from`.

    Refuses VERSION_CONFLICT, and INVALID_FIELD for a `valid_from` before the latest version's or
    for codes and amounts that repeat.
    """
    del now
    return put_version(shelf, command.programme, command.expected_version)


def put_version(
    shelf: Shelf, programme: Programme, expected_version: int
) -> Decision[PublishAnswer, ProgrammePublished]:
    """Put the next version on the shelf; refuses as `publish` does."""
    if expected_version and expected_version != shelf.latest_version:
        raise errors.version_conflict(shelf.latest_version)
    check_programme(programme, shelf.latest_valid_from)
    version = shelf.latest_version + 1
    shelf.published.append(replace(programme, version=version))
    shelf.latest_version = version
    shelf.latest_valid_from = programme.valid_from
    shelf.spans[version] = Span(programme.valid_from, None)
    event = ProgrammePublished(version, programme.valid_from, shelf.sequence)
    return Decision(PublishAnswer(version), (event,))


def retire(
    shelf: Shelf, command: RetireProgramme, now: datetime
) -> Decision[RetireAnswer, ProgrammeRetired]:
    """End a version from an instant on that has not passed; its past stays as it was.

    Refuses PROGRAMME_NOT_FOUND, PROGRAMME_RETIRED, PROGRAMME_NEEDED where no other version would
    decide from then on without an end, INVALID_FIELD.
    """
    version, valid_until = command.version, command.valid_until or now
    span = shelf.spans.get(version)
    if span is None:
        raise errors.programme_not_found(f"has version {version}")
    if span.valid_until is not None and span.valid_until <= now:
        raise errors.programme_retired(version)
    if valid_until < now:
        raise errors.invalid_field("valid_until", "must not lie in the past; leave it out for now")
    others = [each for number, each in shelf.spans.items() if number != version]
    if not any(each.valid_until is None and each.valid_from <= valid_until for each in others):
        raise errors.programme_needed(version)
    shelf.retirements += 1
    shelf.retired.append(Retirement(shelf.retirements, version, valid_until))
    shelf.spans[version] = span._replace(valid_until=valid_until)
    event = ProgrammeRetired(version, valid_until, shelf.sequence)
    return Decision(RetireAnswer(valid_until), (event,))


def check_programme(programme: Programme, not_before: datetime | None) -> None:
    """Refuse a programme that can't be a version, by INVALID_FIELD."""
    if not_before is not None and programme.valid_from < not_before:
        raise errors.invalid_field(
            "programme.valid_from", f"must not lie before the latest version's, {not_before}"
        )
    codes = [rule.code for rule in programme.earning_rules]
    _refuse_repeated("programme.earning_rules.code", codes)
    categories = [category for category, _ in programme.redemption.maximum_shares]
    _refuse_repeated("programme.redemption.maximum_shares.category", categories)
    tiers = [tier.from_minor for tier in programme.stored_value.top_up_tiers]
    _refuse_repeated("programme.stored_value.top_up_tiers.from_minor", tiers)
    _check_expiry(programme)
    for at, rule in enumerate(programme.earning_rules):
        _check_validity(f"programme.earning_rules[{at}].valid_until", rule)


def _check_expiry(programme: Programme) -> None:
    """Refuse two policies for the expiry of points, and a day that nobody can mean."""
    policies = {
        "points_expire_after_months": programme.points_expire_after_months,
        "points_expire_on": programme.points_expire_on,
        "points_expire_after_idle_months": programme.points_expire_after_idle_months,
    }
    given = [name for name, value in policies.items() if value]
    if len(given) > 1:
        raise errors.invalid_field(
            f"programme.{given[-1]}",
            f"must be left out where {given[0]} is given: points expire by one policy",
        )
    day, begins = programme.points_expire_on, programme.valid_from.astimezone(UTC).date()
    if day is None:
        return
    if day < begins or day.year - begins.year > FIXED_DAY_YEARS_MAX:
        raise errors.invalid_field(
            "programme.points_expire_on",
            f"must not lie before the day of valid_from, {begins}, nor more than "
            f"{FIXED_DAY_YEARS_MAX} years after it",
        )


def _check_validity(field_name: str, rule: EarningRule) -> None:
    if rule.valid_from is None or rule.valid_until is None:
        return
    if rule.valid_until <= rule.valid_from:
        raise errors.invalid_field(field_name, "must lie after valid_from")


def _refuse_repeated(field_name: str, values: Iterable[object]) -> None:
    repeated = [str(value) for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise errors.invalid_field(field_name, f"must differ; repeated: {', '.join(repeated)}")
