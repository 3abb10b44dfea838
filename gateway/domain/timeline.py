"""A member's timeline: two lists, newest first, merged into pages without loss or repetition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading one source goes on: its page token, and how much of that page was shown.

    `ended`: nothing is left.
    """

    token: str = ""
    shown: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """One source's page: its instants and items, newest first, and the token of the next page."""

    cursor: Cursor
    items: Sequence[tuple[datetime, T]]
    next_token: str

    def rest(self) -> Sequence[tuple[datetime, T]]:
        """What of the page was not shown yet."""
        return self.items[self.cursor.shown :]

    def after(self, taken: int) -> Cursor:
        """Where to go on after `taken` more items were shown."""
        if taken < len(self.rest()):
            return Cursor(self.cursor.token, self.cursor.shown + taken)
        return Cursor(self.next_token, 0, ended=not self.next_token)


def merge(sources: Sequence[Source[T]], page_size: int) -> tuple[list[T], list[Cursor]]:
    """Return the newest items of all sources, at most `page_size`, and where each goes on.

    A source whose page is used up while more follows ends the merge early: what comes next from it
    is not known, so the page is short rather than out of order.
    """
    rests = [source.rest() for source in sources]
    taken = [0] * len(sources)
    merged: list[T] = []
    while len(merged) < page_size:
        if any(
            count == len(rest) and source.next_token
            for count, rest, source in zip(taken, rests, sources, strict=True)
        ):
            break
        heads = [(rest[count][0], index) for index, (count, rest) in
                 enumerate(zip(taken, rests, strict=True)) if count < len(rest)]  # fmt: skip
        if not heads:
            break
        newest = max(heads, key=lambda head: (head[0], -head[1]))[1]
        merged.append(rests[newest][taken[newest]][1])
        taken[newest] += 1
    cursors = [source.after(count) for source, count in zip(sources, taken, strict=True)]
    return merged, cursors
