"""The sender of one channel: claims what is due, prepares it, hands it over, records what came."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.clock import Clock
from chassis.failpoints import async_failpoint
from chassis.kernel import Refusal
from chassis.telemetry.logs import get_logger
from services.notify.converters.contacts import Recipient
from services.notify.domain.commands import Command, RecordFailed, RecordSent, RecordSuppressed
from services.notify.domain.messages import Channel, RetryPolicy, State, resend_when_in_doubt
from services.notify.domain.sending import (
    Accepted,
    Claimed,
    InDoubt,
    Letter,
    NotSubmitted,
    Provider,
    Refused,
    Submitted,
)
from services.notify.jobs.leasing import renewing
from services.notify.jobs.metrics import SUBMITTED
from services.notify.jobs.preparing import (
    Prepared,
    ToGiveUp,
    ToSubmit,
    ToSuppress,
    ToWait,
    prepare,
)
from services.notify.jobs.recording import Recorder
from services.notify.storage import templates, waiting
from services.notify.storage.transactions import Transactions

OUTAGE_SECONDS = 1.0

Contacts = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, Recipient]]]
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is taken at once, for how long, and how long to pause."""

    batch: int
    lease: timedelta
    poll_seconds: float
    retry: RetryPolicy


@dataclass(frozen=True, slots=True)
class _Postponed:
    """What is tried again: as never handed over (QUEUED) or in doubt (SUBMITTING)."""

    message: Claimed
    state: State
    delay: timedelta


_Settled = Command | _Postponed


class Sender:
    """Sends one channel's messages by one provider; any number of processes may."""

    def __init__(
        self,
        channel: Channel,
        *,
        provider: Provider,
        contacts: Contacts,
        transactions: Transactions,
        recorder: Recorder,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._channel, self._provider, self._contacts = channel, provider, contacts
        self._transactions, self._recorder = transactions, recorder
        self._clock, self._pace = clock, pace

    async def run(self) -> None:
        """Send until cancelled; a round that has begun is finished first."""
        while True:
            await self._provider.ready()
            if await self._round_or_none() < self._pace.batch:
                await asyncio.sleep(self._pace.poll_seconds)

    async def round(self) -> int:
        """Take one batch through; returns how many it had, none when all of them must wait."""
        now, pace = self._clock.now(), self._pace
        claimed = await self._transactions.run(
            waiting.claim, self._channel, now, pace.lease, pace.batch
        )
        if not claimed:
            return 0
        async with renewing(self._transactions, self._clock, claimed, pace.lease):
            postponed = await self._settle_all(claimed)
        now = self._clock.now()
        await self._transactions.run(
            waiting.postpone, [(each.message, each.state, now + each.delay) for each in postponed]
        )
        return 0 if len(postponed) == len(claimed) else len(claimed)

    async def _settle_all(self, claimed: Sequence[Claimed]) -> list[_Postponed]:
        """Bring each message as far as it goes and record what ended; returns what must wait."""
        try:
            prepared = await self._prepare(claimed)
        except Refusal as refusal:
            _log.warning("contacts_unavailable", reason=refusal.reason)
            pause = timedelta(seconds=OUTAGE_SECONDS)
            return [_Postponed(each, each.state, pause) for each in claimed]
        settled = [
            *await self._submit(claimed, prepared),
            *(
                self._settle_unsubmitted(message, what)
                for message, what in zip(claimed, prepared, strict=True)
                if not isinstance(what, ToSubmit)
            ),
        ]
        await self._recorder.record(
            [each for each in settled if not isinstance(each, _Postponed)],
            {each.message_id: each.traceparent for each in claimed},
        )
        return [each for each in settled if isinstance(each, _Postponed)]

    async def _round_or_none(self) -> int:
        """Shield a round from its cancellation and from the database's outages."""
        round_ = asyncio.ensure_future(self.round())
        try:
            return await asyncio.shield(round_)
        except asyncio.CancelledError:
            await asyncio.wait({round_})
            if error := round_.exception():
                _log.warning("last_round_failed", cause=type(error).__name__)
            raise
        except Exception as error:  # noqa: BLE001 - what is claimed comes back when its lease ends
            _log.warning("round_failed", channel=self._channel.name, cause=type(error).__name__)
            await asyncio.sleep(OUTAGE_SECONDS)
            return 0

    async def _prepare(self, claimed: Sequence[Claimed]) -> list[Prepared]:
        contacts = await self._contacts({each.member_id for each in claimed})
        codes = {each.template_code for each in claimed}
        texts = await self._transactions.run(templates.of_codes, codes)
        return [prepare(each, contacts.get(each.member_id), texts) for each in claimed]

    async def _submit(
        self, claimed: Sequence[Claimed], prepared: Sequence[Prepared]
    ) -> list[_Settled]:
        """Record that these are being submitted, commit, and only then submit them."""
        letters = [
            (message, what)
            for message, what in zip(claimed, prepared, strict=True)
            if isinstance(what, ToSubmit)
        ]
        mine = await self._transactions.run(
            waiting.record_submitting, [(each, what.template_version) for each, what in letters]
        )
        letters = [each for each in letters if each[0].message_id in mine]
        await async_failpoint("notify.work.before_submit")
        answers = await asyncio.gather(*(self._hand_over(what.letter) for _, what in letters))
        for outcome, times in Counter(type(answer).__name__ for answer in answers).items():
            SUBMITTED.prometheus.labels(self._channel.name, outcome).inc(times)
        await async_failpoint("notify.work.after_submit")
        return [
            self._settle(message, answer)
            for (message, _), answer in zip(letters, answers, strict=True)
        ]

    async def _hand_over(self, letter: Letter) -> Submitted:
        """Submit one message; a defect leaves this one in doubt and no other."""
        try:
            return await self._provider.submit(letter)
        except Exception as error:  # noqa: BLE001 - its text may hold the letter: only its class
            _log.error("submission_failed", cause=type(error).__name__)
            return InDoubt()

    def _settle(self, message: Claimed, answer: Submitted) -> _Settled:
        match answer:
            case Accepted():
                return RecordSent(
                    message.member_id, message.message_id, self._provider.name, answer.part_ids
                )
            case Refused(permanent=True):
                return _failed(message, answer.reason)
            case Refused():
                return self._again(message, State.QUEUED, answer.reason)
            case InDoubt() if not resend_when_in_doubt(message.purpose):
                return _failed(message, "IN_DOUBT")
            case InDoubt():
                return self._again(message, State.SUBMITTING, "IN_DOUBT")
            case NotSubmitted():
                return self._again(message, message.state, "PROVIDER_AWAY")

    def _settle_unsubmitted(self, message: Claimed, what: Prepared) -> _Settled:
        match what:
            case ToSuppress():
                return RecordSuppressed(
                    message.member_id, message.message_id, message.attempts, what.reason
                )
            case ToGiveUp():
                return _failed(message, what.reason)
            case ToWait():
                return self._again(message, message.state, what.reason)
            case ToSubmit():
                raise AssertionError("what is to be submitted was submitted")

    def _again(self, message: Claimed, state: State, reason: str) -> _Settled:
        age = self._clock.now() - message.queued_at
        delay = self._pace.retry.next_delay(message.attempts, age)
        return _failed(message, reason) if delay is None else _Postponed(message, state, delay)


def _failed(message: Claimed, reason: str) -> RecordFailed:
    return RecordFailed(message.member_id, message.message_id, message.attempts, reason)
