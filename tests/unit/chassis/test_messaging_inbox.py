"""The inbox's decision: whatever the log repeats or reorders, each version is applied once."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from chassis.messaging.cloudevents import Received
from chassis.messaging.inbox import Verdict, Versions, judge

SOURCE = "huitouke.test"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def event(key: int, version: int) -> Received:
    return Received("a.b.C", SOURCE, UUID(int=key), version, UUID(int=version), NOW, b"")


def naive(history: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep everything applied and look at all of it each time."""
    applied: list[tuple[int, int]] = []
    for key, version in history:
        before = [seen for of, seen in applied if of == key]
        if not before or (
            version not in before and version - 1 in before and version > min(before)
        ):
            applied.append((key, version))
    return applied


histories = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 8)), max_size=60)


@given(histories, st.lists(st.integers(1, 10), max_size=20))
def test_the_decision_equals_a_naive_memory_of_everything_however_it_is_batched(
    history: list[tuple[int, int]], cuts: list[int]
) -> None:
    stored: dict[tuple[str, UUID], int] = {}
    applied: list[tuple[int, int]] = []
    rest = history
    while rest:
        size = cuts.pop() if cuts else len(rest)
        batch, rest = rest[:size], rest[size:]
        versions = Versions(dict(stored))
        for key, version in batch:
            if versions.take(event(key, version)) is Verdict.NEXT:
                applied.append((key, version))
        assert not versions.first_seen().keys() & versions.advanced().keys()
        stored |= versions.first_seen() | versions.advanced()
    assert applied == naive(history)


@given(st.integers(1, 20), st.data())
def test_a_log_of_resent_prefixes_is_applied_completely_and_in_order(
    last: int, data: st.DataObject
) -> None:
    """The relay's promise: each stream starts at or below what is already in the log."""
    log: list[int] = []
    reached = 0
    while reached < last:
        start = data.draw(st.integers(1, reached + 1))
        end = data.draw(st.integers(start, last))
        log += range(start, end + 1)
        reached = max(reached, end)
    versions = Versions({})
    applied = [v for v in log if versions.take(event(1, v)) is Verdict.NEXT]
    assert applied == list(range(log[0], last + 1))


def test_the_first_version_ever_seen_sets_the_baseline() -> None:
    assert judge(None, 41) is Verdict.NEXT
    assert judge(41, 41) is Verdict.DUPLICATE
    assert judge(41, 40) is Verdict.DUPLICATE
    assert judge(41, 42) is Verdict.NEXT
    assert judge(41, 43) is Verdict.JUMP


def test_sources_count_for_themselves() -> None:
    versions = Versions({})
    other = Received("a.b.C", "huitouke.other", UUID(int=1), 1, UUID(int=9), NOW, b"")
    assert versions.take(event(1, 5)) is Verdict.NEXT
    assert versions.take(other) is Verdict.NEXT
    assert versions.first_seen() == {
        (SOURCE, UUID(int=1)): 5,
        ("huitouke.other", UUID(int=1)): 1,
    }
