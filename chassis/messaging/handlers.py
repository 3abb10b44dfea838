"""Handlers: what a service does with the facts it subscribes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import psycopg
from google.protobuf.message import DecodeError
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from chassis.kernel.refusals import Refusal
from chassis.messaging.cloudevents import NotACloudEventError, Received

Handler = Callable[[Connection, Received], None]
"""Applies one event in the transaction that counts it. Raises what it must: see `broken_rule`."""


@dataclass(frozen=True, slots=True)
class BatchHandler:
    """Applies consecutive events of one transaction together, for throughput.

    Declare the same object for several types and they arrive in one call, in order. When the call
    fails it is repeated with one event at a time.
    """

    handle: Callable[[Connection, Sequence[Received]], None]


Handlers = Mapping[str, Handler | BatchHandler]
"""By full protobuf message name."""


def run_handlers(connection: Connection, handlers: Handlers, events: Sequence[Received]) -> None:
    """Hand the events over in order; types without a handler are passed by."""
    for handler, run in _runs(handlers, events):
        if isinstance(handler, BatchHandler):
            handler.handle(connection, run)
        elif handler is not None:
            for event in run:
                handler(connection, event)


def _runs(
    handlers: Handlers, events: Sequence[Received]
) -> Iterator[tuple[Handler | BatchHandler | None, list[Received]]]:
    """Consecutive events with the same handler; those without one are left out beforehand."""
    handled = [event for event in events if event.type in handlers]
    for _, run in groupby(handled, key=lambda event: id(handlers[event.type])):
        grouped = list(run)
        yield handlers[grouped[0].type], grouped


def broken_rule(error: BaseException) -> str | None:
    """Why an event that failed alone can never be applied, as a dead letter's reason.

    None means an outage: the event is tried again until it works. That includes whatever is not
    known here: a bug stops its partition and loses nothing, a dead letter would go unnoticed.
    The text never holds content, only reasons and class names.
    """
    if isinstance(error, NotACloudEventError):
        return f"NOT_A_CLOUD_EVENT: {error.reason}"
    if isinstance(error, DecodeError):
        return "UNDECODABLE_PAYLOAD"
    if isinstance(error, Refusal):
        return None if error.passing else f"REFUSED: {error.reason}"
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(driver_error, psycopg.IntegrityError | psycopg.DataError):
        return f"DATABASE_RULE: {type(driver_error).__name__}"
    return None
