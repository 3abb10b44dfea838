"""Publishing: how a programme gets its next version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.kernel import Decision
from services.points.domain import errors
from services.points.domain.answers import PublishAnswer
from services.points.domain.commands import PublishProgramme
from services.points.domain.events import ProgrammePublished
from services.points.domain.programme import Programme


@dataclass(slots=True)
class Shelf:
    """The programme's locked head: its latest version; `published` are those still to be saved."""

    latest_version: int
    latest_valid_from: datetime | None
    published: list[Programme]


def publish(
    shelf: Shelf, command: PublishProgramme, now: datetime
) -> Decision[PublishAnswer, ProgrammePublished]:
    """Give the programme the next version number; it applies from its own `valid_from`.

    Refuses VERSION_CONFLICT, and INVALID_FIELD for a `valid_from` before the latest version's or
    for codes and amounts that repeat.
    """
    del now
    expected = command.expected_version
    if expected and expected != shelf.latest_version:
        raise errors.version_conflict(shelf.latest_version)
    programme = command.programme
    _check(programme, shelf.latest_valid_from)
    version = shelf.latest_version + 1
    shelf.published.append(replace(programme, version=version))
    shelf.latest_version = version
    shelf.latest_valid_from = programme.valid_from
    return Decision(PublishAnswer(version), (ProgrammePublished(version, programme.valid_from),))


def _check(programme: Programme, not_before: datetime | None) -> None:
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


def _refuse_repeated(field: str, values: Iterable[object]) -> None:
    repeated = [str(value) for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise errors.invalid_field(field, f"must differ; repeated: {', '.join(repeated)}")
