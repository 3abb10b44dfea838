"""Kafka in: facts of the other services become queued messages."""

from collections.abc import Sequence

from sqlalchemy import Connection

from chassis.clock import Clock
from chassis.messaging.cloudevents import Received
from chassis.messaging.handlers import BatchHandler, Handlers
from services.notify.converters.events import EVENT_TYPES, fact_of
from services.notify.domain.plans import plans_for
from services.notify.storage import arrivals
from services.notify.storage.arrivals import Arrival


class Arrivals:
    """Queues what events ask for, in the transaction that counts them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def handlers(self) -> Handlers:
        """One batch handler for every event that can ask for a message."""
        handler = BatchHandler(self.handle)
        return dict.fromkeys(EVENT_TYPES, handler)

    def handle(self, connection: Connection, events: Sequence[Received]) -> None:
        """Insert one row for each message; raises DecodeError for a payload that is none."""
        wanted = [arrival for event in events for arrival in _arrivals(event)]
        arrivals.queue(connection, wanted, self._clock.now())


def _arrivals(event: Received) -> list[Arrival]:
    fact = fact_of(event.type, event.payload)
    return [
        Arrival(event.key, plan, fact.variables, event.id, event.type, event.traceparent)
        for plan in plans_for(fact)
    ]
