"""Recording what became of messages, through the executor, whatever the database does meanwhile."""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from chassis.kernel import Refusal
from chassis.storage.executor import Executor, Submission
from chassis.telemetry.logs import get_logger
from services.notify.domain.book import Book
from services.notify.domain.commands import Command
from services.notify.domain.events import Event

SERVICE = "notify"
ATTEMPTS_MAX = 10
PAUSE_SECONDS = 1.0
NO_TRACES: Final[Mapping[UUID, str]] = MappingProxyType({})

Recording = Executor[Command, Book, bool, Event]
_log = get_logger(__name__)


class Recorder:
    """Gives the executor commands that remember nothing: repeating one changes nothing."""

    def __init__(self, executor: Recording) -> None:
        self._executor = executor

    async def record(
        self, commands: Sequence[Command], traceparents: Mapping[UUID, str] = NO_TRACES
    ) -> None:
        """Return when all are recorded; what the database doesn't take in a minute is let go.

        So is what fails by a defect, which the executor has logged. A submission that is let go is
        in doubt, as after a crash.
        """
        left = [
            Submission(each, SERVICE, "", None, traceparent=traceparents.get(each.message_id, ""))
            for each in commands
        ]
        for _ in range(ATTEMPTS_MAX):
            outcomes = await self._executor.execute_many(left)
            left = [
                submission
                for submission, outcome in zip(left, outcomes, strict=True)
                if isinstance(outcome, Refusal) and outcome.reason != "INTERNAL"
            ]
            if not left:
                return
            await asyncio.sleep(PAUSE_SECONDS)
        _log.error("outcomes_not_recorded", messages=len(left))
