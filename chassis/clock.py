"""Clocks: the time is passed in, never taken where a rule is decided."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """A source of instants: aware, UTC, to the microsecond. Safe to share between threads."""

    def now(self) -> datetime:
        """Return the present instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands until it is moved, for tests and the sandbox."""

    def __init__(self, start: datetime) -> None:
        """Start at `start`, which must be aware."""
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware instant")
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the instant it was last moved to."""
        return self._now

    def advance(self, step: timedelta) -> datetime:
        """Move forward by `step`, which is not negative, and return the new instant."""
        if step < timedelta(0):
            raise ValueError("a clock goes forward only")
        with self._lock:
            self._now += step
            return self._now
