"""Roles that are the same in every service: publish the outbox, migrate, forget what is old.

A role imports when it runs what no other role needs, so that each process starts with its own part
alone: Kafka's client and Alembic are a quarter of what a server would load.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Protocol

from pydantic import SecretStr

from chassis.clock import SystemClock
from chassis.messaging.topics import source_of, topic_of
from chassis.process import Process
from chassis.storage.engine import create_engine
from chassis.storage.housekeeping import Housekeeping
from chassis.storage.requests import remembered_requests
from chassis.telemetry.observers import RelayMetrics

_MIGRATION_CONNECTIONS = 2  # one keeps the lock that a second migration waits for


class StoringSettings(Protocol):
    """What `migrate_role` needs; chassis.settings.DatabaseSettings has it."""

    @property
    def database_url(self) -> SecretStr: ...


class PublishingSettings(StoringSettings, Protocol):
    """What `relay_role` needs; DatabaseSettings and KafkaSettings together have it."""

    @property
    def kafka_bootstrap(self) -> str: ...

    @property
    def topic_prefix(self) -> str: ...


class RememberingSettings(StoringSettings, Protocol):
    """What `housekeeping_role` needs; RequestKeySettings has it besides."""

    @property
    def housekeeping_interval_seconds(self) -> float: ...

    def requests_kept(self) -> timedelta: ...


def relay_role(service: str) -> Callable[[PublishingSettings, Process], None]:
    """The role that publishes `service`'s outbox to its topic until asked to stop. Blocks."""

    def relay(settings: PublishingSettings, process: Process) -> None:
        from chassis.messaging.producer import Producer  # noqa: PLC0415 - see the module
        from chassis.messaging.relay import Relay  # noqa: PLC0415 - see the module

        topic = topic_of(service, settings.topic_prefix)
        engine = create_engine(
            settings.database_url.get_secret_value(),
            application_name=f"{service}-relay",
            pool_size=1,
        )
        Relay(
            engine=engine,
            open_producer=partial(Producer, settings.kafka_bootstrap),
            topic=topic,
            source=source_of(service),
            observer=RelayMetrics(topic),
        ).run(process.stopping.event)

    return relay


def migrate_role(service: str, migrations: str) -> Callable[[StoringSettings, Process], None]:
    """The role that brings the database to the newest version and ends.

    `migrations` is the package of numbered scripts. Several at once wait for each other.
    """

    def migrate_database(settings: StoringSettings, _process: Process) -> None:
        from chassis.storage.migrations import migrate  # noqa: PLC0415 - see the module

        engine = create_engine(
            settings.database_url.get_secret_value(),
            application_name=f"{service}-migrate",
            pool_size=_MIGRATION_CONNECTIONS,
        )
        migrate(engine, migrations)

    return migrate_database


def housekeeping_role(service: str) -> Callable[[RememberingSettings, Process], Awaitable[None]]:
    """The `work` of a service whose only job is to forget remembered requests in time."""

    async def work(settings: RememberingSettings, process: Process) -> None:
        engine = create_engine(
            settings.database_url.get_secret_value(),
            application_name=f"{service}-work",
            pool_size=1,
        )
        housekeeping = Housekeeping(
            engine,
            SystemClock(),
            [remembered_requests(settings.requests_kept())],
            settings.housekeeping_interval_seconds,
        )
        await housekeeping.run_until(asyncio.ensure_future(process.stopping.wait()))
        engine.dispose()

    return work
