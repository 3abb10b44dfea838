"""The inbox: the last version applied per source and key, kept with the effect it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from uuid import UUID

from sqlalchemy import Connection

from chassis.messaging.cloudevents import Received
from chassis.storage import sets

Origin = tuple[str, UUID]
"""Source and key: what versions are counted by."""


class Verdict(Enum):
    """What to do with an event that arrives."""

    NEXT = "NEXT"
    DUPLICATE = "DUPLICATE"
    JUMP = "JUMP"


def judge(last: int | None, version: int) -> Verdict:
    """The rule of the promise "at least once, in order per key, without gaps".

    Equal to or lower than the last is a duplicate. A jump is not applied: whoever sent it sends it
    again after what is missing. The first version ever seen sets the baseline, so that a subscriber
    may start where retention has cut the log.
    """
    if last is None or version == last + 1:
        return Verdict.NEXT
    return Verdict.DUPLICATE if version <= last else Verdict.JUMP


class Versions:
    """The last versions of the keys of one batch, advancing as its events are judged."""

    def __init__(self, known: dict[Origin, int]) -> None:
        self._known = known
        self._last = dict(known)

    def take(self, event: Received) -> Verdict:
        """Judge the event; a NEXT one counts as applied from here on."""
        origin = (event.source, event.key)
        verdict = judge(self._last.get(origin), event.version)
        if verdict is Verdict.NEXT:
            self._last[origin] = event.version
        return verdict

    def first_seen(self) -> dict[Origin, int]:
        """Versions of keys that had none before."""
        return {origin: last for origin, last in self._last.items() if origin not in self._known}

    def advanced(self) -> dict[Origin, int]:
        """Versions of known keys that went up."""
        return {
            origin: last
            for origin, last in self._last.items()
            if last != self._known.get(origin, last)
        }


class OverlappingDeliveryError(Exception):
    """Another process is taking the same key for the first time: roll back and judge again."""


def lock_versions(connection: Connection, events: Iterable[Received]) -> Versions:
    """The last versions of the events' keys, locked until the transaction ends."""
    origins = sorted({(event.source, event.key) for event in events})
    rows = sets.select_by_keys(
        connection, "inbox", _keys(origins), select=("source", "key", "version"), lock=True
    )
    return Versions({(source, key): version for source, key, version in rows})


def save_versions(connection: Connection, versions: Versions) -> None:
    """Write what `versions` took. Call it before the effects: whoever overlaps waits here.

    Raises OverlappingDeliveryError when another transaction has just set a baseline.
    """
    first = sorted(versions.first_seen().items())
    columns = {**_keys([origin for origin, _ in first]), **_versions(first)}
    inserted = sets.insert_columns(
        connection, "inbox", columns, on_conflict="DO NOTHING", returning=("version",)
    )
    if len(inserted) != len(first):
        raise OverlappingDeliveryError
    advanced = list(versions.advanced().items())
    keys = _keys([origin for origin, _ in advanced])
    sets.update_from_columns(connection, "inbox", keys=keys, values=_versions(advanced))


def _keys(origins: Sequence[Origin]) -> sets.Columns:
    return {
        "source": ("text", [source for source, _ in origins]),
        "key": ("uuid", [key for _, key in origins]),
    }


def _versions(seen: Sequence[tuple[Origin, int]]) -> sets.Columns:
    return {"version": ("bigint", [version for _, version in seen])}
