"""Versions: each one of a member has an entry, or a record that says why it moved nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from services.points.domain.verification import Difference, DifferenceKind
from services.points.storage.reports.checks import to_difference
from services.points.storage.reports.ranges import Driver, KeyRange

GAPS_TOGETHER_MAX: Final = 100_000
GAPS_OF_A_MEMBER_MAX: Final = 10_000
"""Versions without an entry that are looked at: a bound, should a version be nonsense."""
EXPLAINED_BY: Final = (
    ("checkouts", "version"),
    ("reversals", "version"),
    ("top_ups", "version"),
    ("expiry_warnings", "version"),
    ("points_extensions", "version"),
    ("holds", "version"),
    ("holds", "resolved_version"),
)
"""Tables with a `member_id` and a column of the version of an event, also of one moving nothing."""

_ABOVE = """
SELECT 'VERSION', member_id, NULL, NULL, posted.version, members.version, posted.version
FROM (SELECT member_id, max(version) AS version FROM postings
      WHERE member_id BETWEEN %(low)s AND %(high)s GROUP BY member_id) AS posted
LEFT JOIN members USING (member_id)
WHERE posted.version > coalesce(members.version, 0)
"""

_WITHOUT_ENTRY = """
WITH entries AS (
    SELECT member_id, count(DISTINCT version) AS entries FROM postings
    WHERE member_id BETWEEN %(low)s AND %(high)s GROUP BY member_id
)
SELECT members.member_id, missing.version
FROM members LEFT JOIN entries USING (member_id) CROSS JOIN LATERAL (
    SELECT version FROM generate_series(1, members.version) AS every(version)
    WHERE NOT EXISTS (SELECT FROM postings
                      WHERE member_id = members.member_id AND version = every.version)
    LIMIT %(gaps_max)s
) AS missing
WHERE members.member_id BETWEEN %(low)s AND %(high)s
  AND members.version <> coalesce(entries, 0)
"""

_UNEXPLAINED = f"""
SELECT member_id, version
FROM unnest(%(members)s::uuid[], %(versions)s::bigint[]) AS gap(member_id, version)
WHERE {
    " AND ".join(
        f"NOT EXISTS (SELECT FROM {table} AS record WHERE record.member_id = gap.member_id "
        f"AND record.{column} = gap.version)"
        for table, column in EXPLAINED_BY
    )
}
ORDER BY member_id, version
"""


class VersionCheck:
    """Finds versions that nothing explains, through many ranges.

    Records have no index by member, since every checkout would pay for it; so versions without an
    entry, which are few, are collected and looked up many at a time by a scan of the records.
    """

    def __init__(self, driver: Driver, together_max: int = GAPS_TOGETHER_MAX) -> None:
        self._driver = driver
        self._together_max = together_max
        self._members: list[UUID] = []
        self._versions: list[int] = []

    def look_at(self, keys: KeyRange) -> Iterator[Difference]:
        """What one range of members shows, and what the ranges before have left if it is much."""
        for row in self._driver.execute(_ABOVE, keys.parameters):
            yield to_difference(row)
        parameters = {**keys.parameters, "gaps_max": GAPS_OF_A_MEMBER_MAX}
        for member_id, version in self._driver.execute(_WITHOUT_ENTRY, parameters):
            self._members.append(member_id)
            self._versions.append(version)
        if len(self._versions) >= self._together_max:
            yield from self.finish()

    def finish(self) -> Iterator[Difference]:
        """Look up what was collected; once more after the last range."""
        if not self._versions:
            return
        parameters = {"members": self._members, "versions": self._versions}
        self._driver.execute("SET LOCAL enable_seqscan = on")
        unexplained = self._driver.execute(_UNEXPLAINED, parameters).fetchall()
        self._driver.execute("SET LOCAL enable_seqscan = off")
        self._members, self._versions = [], []
        for member_id, version in unexplained:
            yield Difference(
                DifferenceKind.VERSION, member_id, None, None, version, str(version), ""
            )
