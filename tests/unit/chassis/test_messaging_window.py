"""What may be deleted: each partition's acknowledged prefix and nothing else."""

from __future__ import annotations

import pytest
from kafka.errors import KafkaTimeoutError
from kafka.producer.future import FutureProduceResult
from kafka.structs import TopicPartition

from chassis.messaging.producer import Publication
from chassis.messaging.records import PartitionBatch
from chassis.messaging.window import NotPublishedError, Window


def publication(partition: int, *seqs: int) -> tuple[Publication, FutureProduceResult]:
    future = FutureProduceResult(TopicPartition("t", partition))
    return Publication(PartitionBatch(partition, list(seqs)), future), future


def acknowledge(future: FutureProduceResult) -> None:
    future.success((0, -1, None))


def fail(future: FutureProduceResult) -> None:
    future.success((-1, None, lambda _: KafkaTimeoutError("late")))


def test_rows_are_released_when_their_batch_and_all_before_it_are_acknowledged() -> None:
    window = Window(60)
    (first, first_future), (second, second_future) = publication(0, 1, 4), publication(0, 5)
    (other, other_future) = publication(1, 2, 3)
    window.add([first, second, other])
    acknowledge(second_future)
    acknowledge(other_future)
    assert sorted(window.acknowledged()) == [2, 3]
    acknowledge(first_future)
    assert window.acknowledged() == [1, 4, 5]


def test_what_follows_a_failed_batch_of_its_partition_is_never_released() -> None:
    window = Window(60)
    (first, first_future), (second, second_future) = publication(0, 1), publication(0, 2)
    window.add([first, second])
    fail(first_future)
    acknowledge(second_future)
    assert window.acknowledged() == []
    with pytest.raises(NotPublishedError, match="KafkaTimeoutError"):
        window.check()


def test_a_batch_that_is_never_answered_counts_as_failed() -> None:
    window = Window(0)
    window.add([publication(0, 1)[0]])
    with pytest.raises(NotPublishedError, match="no answer"):
        window.check()


def test_the_last_row_in_flight_is_forgotten_when_nothing_is() -> None:
    window = Window(60)
    (one, future) = publication(0, 7)
    window.add([one])
    assert (window.rows, window.last_seq) == (1, 7)
    acknowledge(future)
    window.acknowledged()
    assert (window.rows, window.last_seq) == (0, 0)
