"""How old events are when a subscriber gets them: from the fact's own time to the arrival."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from chassis.messaging.tail import tail

QUIET_SECONDS = 1.0


@contextmanager
def listening(bootstrap: str, topics: Sequence[str]) -> Iterator[Callable[[], list[float]]]:
    """Subscribe in a process of its own; the function ends it and gives the ages in seconds.

    What arrives later than a second after the function's call is not waited for.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_listen, args=(bootstrap, list(topics), there), daemon=True)
    process.start()
    try:
        assert here.recv() == "subscribed"

        def ages() -> list[float]:
            here.send("enough")
            heard: list[float] = here.recv()
            return heard

        yield ages
    finally:
        process.join(timeout=10)
        process.kill()


def _listen(bootstrap: str, topics: list[str], pipe: Connection) -> None:
    stop = threading.Event()
    events = tail(bootstrap, topics, stop=stop)
    pipe.send("subscribed")

    def stop_when_told() -> None:
        pipe.recv()
        threading.Timer(QUIET_SECONDS, stop.set).start()

    threading.Thread(target=stop_when_told, daemon=True).start()
    pipe.send([(datetime.now(UTC) - event.time).total_seconds() for event in events])
