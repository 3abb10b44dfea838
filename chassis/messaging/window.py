"""What the relay has handed to Kafka and not yet deleted, in order per partition."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from chassis.messaging.producer import Publication


class NotPublishedError(Exception):
    """Kafka did not acknowledge a batch: everything not deleted must be sent again."""


class Window:
    """Publications in flight.

    Only a partition's acknowledged prefix may be deleted: when a batch fails, the client goes on
    with the next one of its partition, and the failed one would come after it when it is sent
    again. So the later one is sent again too, and subscribers, who did not apply the jump, find
    every version in order.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._partitions: dict[int, deque[tuple[Publication, float]]] = {}
        self.rows = 0
        self.last_seq = 0
        """The highest row ever handed over while anything is in flight, else 0."""

    def add(self, publications: Iterable[Publication]) -> None:
        now = time.monotonic()
        for publication in publications:
            queue = self._partitions.setdefault(publication.batch.partition, deque())
            queue.append((publication, now))
            self.rows += len(publication.batch.seqs)
            self.last_seq = max(self.last_seq, publication.batch.seqs[-1])

    def acknowledged(self) -> list[int]:
        """Take out the rows of each partition's acknowledged prefix; they may be deleted."""
        seqs: list[int] = []
        for queue in self._partitions.values():
            while queue and queue[0][0].settled() and queue[0][0].error() is None:
                seqs += queue.popleft()[0].batch.seqs
        self.rows -= len(seqs)
        if self.rows == 0:
            self.last_seq = 0
        return seqs

    def check(self) -> None:
        """Raise NotPublishedError for a batch that failed or was never answered."""
        for queue in self._partitions.values():
            if queue:
                _check(*queue[0], self._timeout_seconds)

    def wait(self, seconds: float) -> None:
        """Until the oldest batch of any partition has its answer, at most `seconds`."""
        heads = [queue[0] for queue in self._partitions.values() if queue]
        if heads:
            min(heads, key=lambda head: head[1])[0].wait(seconds)


def _check(publication: Publication, since: float, timeout_seconds: float) -> None:
    error = publication.error() if publication.settled() else None
    if error is not None:
        raise NotPublishedError(type(error).__name__) from error
    if not publication.settled() and time.monotonic() - since > timeout_seconds:
        raise NotPublishedError(f"no answer in {timeout_seconds:g} s")
