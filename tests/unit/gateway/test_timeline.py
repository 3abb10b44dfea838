"""A timeline in pages is the timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from gateway.converters.activities import Position, from_token, to_token
from gateway.domain.timeline import Cursor, Source, merge

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"k" * 32
Items = list[tuple[datetime, str]]


def dated(name: str, minutes: list[int]) -> Items:
    """Items of one source, newest first."""
    ordered = sorted(minutes, reverse=True)
    return [(START + timedelta(minutes=m), f"{name}{i}") for i, m in enumerate(ordered)]


def page_of(items: Items, cursor: Cursor, size: int) -> Source[str]:
    """A server's page: its token is the position in the list."""
    if cursor.ended:
        return Source(cursor, [], "")
    at = int(cursor.token or 0)
    goes_on = str(at + size) if at + size < len(items) else ""
    return Source(cursor, items[at : at + size], goes_on)


@given(
    st.lists(st.integers(0, 40), max_size=30),
    st.lists(st.integers(0, 40), max_size=30),
    st.integers(1, 7),
    st.integers(1, 7),
)
def test_pages_put_together_hold_everything_in_order(
    left: list[int], right: list[int], size: int, served: int
) -> None:
    sources = [dated("l", left), dated("r", right)]
    instants = {name: instant for items in sources for instant, name in items}
    cursors = [Cursor(), Cursor()]
    shown: list[str] = []
    for _ in range(200):
        pages = [page_of(i, c, served) for i, c in zip(sources, cursors, strict=True)]
        page, cursors = merge(pages, size)
        assert len(page) <= size
        shown += page
        if all(cursor.ended for cursor in cursors):
            break
    assert sorted(shown) == sorted(instants)
    times = [instants[name] for name in shown]
    assert times == sorted(times, reverse=True)


def test_a_page_token_comes_back_as_it_was() -> None:
    position = Position(START, Cursor("abc", 3), Cursor("", 0, ended=True))
    token = to_token(position, "activity|m", KEY)
    assert from_token(token, "activity|m", KEY, START) == position


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "=" * 20])
def test_a_text_that_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as refused:
        from_token(token, "activity|m", KEY, START)
    assert refused.value.reason == "PAGE_TOKEN_INVALID"


def test_a_token_fits_no_other_query_and_no_other_key() -> None:
    token = to_token(Position(START), "activity|m", KEY)
    for query, key in (("activity|n", KEY), ("activity|m", b"x" * 32)):
        with pytest.raises(Refusal):
            from_token(token, query, key, START)
