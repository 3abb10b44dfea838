"""Progress of a long job by hand: a line on stderr every few seconds, and one at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from typing import Final, TextIO

EVERY_SECONDS: Final = 2.0


class ProgressLines:
    """Says how far a job is: `verify: 12,000 members, 240,000 postings, 31,500 postings/s`.

    `count` is what the rate is of. Safe to call often: most calls only look at the clock.
    """

    def __init__(
        self,
        what: str,
        count: str,
        to: TextIO | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._what, self._count = what, count
        self._to = to or sys.stderr
        self._clock = clock
        self._started = clock()
        self._next = self._started + EVERY_SECONDS

    def say(self, *, last: bool = False, **counts: int) -> None:
        """Write the counts if it is time, or the `last` ones whenever it is."""
        now = self._clock()
        if now < self._next and not last:
            return
        self._next = now + EVERY_SECONDS
        told = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        rate = counts[self._count] / max(now - self._started, 1e-9)
        self._to.write(f"{self._what}: {told}, {rate:,.0f} {self._count}/s\n")
        self._to.flush()
