"""`huitouke events tail`: every event as a subscriber reads it from Kafka, one line each."""

import threading
from collections.abc import Sequence

from rich.console import Console

from chassis.messaging.tail import tail
from cli.endpoints import Endpoints
from cli.events import SERVICES, decode, load_contracts, one_line


def tail_events(
    endpoints: Endpoints, console: Console, services: Sequence[str], *, from_earliest: bool
) -> None:
    """Show events until Ctrl-C. Fields are shown as the contract names them."""
    load_contracts()
    topics = [f"{endpoints.topic_prefix}huitouke.{service}.v1" for service in services or SERVICES]
    stop = threading.Event()
    try:
        for event in tail(
            endpoints.kafka_bootstrap, topics, stop=stop, from_earliest=from_earliest
        ):
            decoded = decode(event.type, event.payload)
            text = one_line(decoded) if decoded is not None else "(not decodable)"
            when = event.time.strftime("%H:%M:%S.%f")[:-3]
            name = event.type.removeprefix("huitouke.")
            console.print(
                f"{when} {event.key} v{event.version} {name} {text}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
    except KeyboardInterrupt:
        stop.set()
