"""Progress of an import: what of a stream is dealt with for good, in the order of its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from services.points.domain.records import RejectedRow


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Say that every row up to `line` is dealt with, and which of the last ones were rejected.

    `accepted` are lines that are in, so that nothing is left of an earlier rejection.
    """

    import_id: UUID
    line: int
    accepted: tuple[int, ...]
    rejected: tuple[RejectedRow, ...]


@dataclass(slots=True)
class Progress:
    """Acknowledgements that are to be saved, in order; one that comes again changes nothing."""

    acknowledged: list[Acknowledge] = field(default_factory=list)
