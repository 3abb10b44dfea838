"""The checkout desk: one call, one effect, however often and however concurrently it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from huitouke.gateway.v1 import partner_service_pb2

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.kernel import Refusal
from chassis.storage.reads import Reads
from chassis.telemetry.logs import get_logger
from gateway.converters.fingerprints import Fingerprint, nested_fingerprint
from gateway.converters.purchases import to_opening
from gateway.domain import errors
from gateway.domain.bills import check_bill
from gateway.domain.checkouts import Opening, Phase, Plan, Record, Recorded, State
from gateway.domain.coordinator import Coordinator, GiveUp, always, never
from gateway.domain.principals import Principal
from gateway.servicers.flights import Answer, Flights, check_same
from gateway.servicers.pricing import Pricing
from gateway.storage import reads as read
from gateway.storage.journal import ExecutorJournal

DEADLINE_SECONDS_MAX = 30.0
"""However long a till waits: after it, recovery settles what is still in doubt."""

_NO_PLAN = Plan(post=b"", cancel_post=b"")
_log = get_logger("gateway.desk")


Prepare = Callable[[datetime, datetime], Awaitable[Opening]]
"""Prices what is asked, at an instant and with the till's deadline; raises Refusal."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One Checkout or OpenCheckout call: by whom, what, and how long the till waits."""

    principal: Principal
    request_id: str
    fingerprint: Fingerprint
    wait_seconds: float
    prepare: Prepare

    @property
    def key(self) -> tuple[UUID, str]:
        return self.principal.merchant_id, self.request_id


class CheckoutDesk:
    """Opens, decides and cancels checkouts, and has their end told. For one event loop."""

    def __init__(
        self,
        pricing: Pricing,
        coordinator: Coordinator,
        journal: ExecutorJournal,
        reads: Reads,
        clock: Clock,
        key: bytes,
    ) -> None:
        self._pricing = pricing
        self._coordinator = coordinator
        self._journal = journal
        self._reads = reads
        self._clock = clock
        self._key = key
        self.flights = Flights()
        self._concluding: set[asyncio.Task[None]] = set()

    def read_request(
        self, request: partner_service_pb2.CheckoutRequest, principal: Principal, wait: float
    ) -> Asked:
        """Return what is asked; raises Refusal for a bill that is wrong in itself."""
        purchase = request.purchase
        check_bill(purchase.currency, [line.line_id for line in purchase.lines])
        fingerprint = nested_fingerprint(purchase, request.request_id, self._key, within="purchase")

        async def prepare(now: datetime, deadline_at: datetime) -> Opening:
            return to_opening(
                await self._pricing.price(purchase, principal, now),
                checkout_id=new_id(),
                request_id=request.request_id,
                fingerprint=fingerprint.field_macs,
                opened_at=now,
                deadline_at=deadline_at,
            )

        return Asked(principal, request.request_id, fingerprint, wait, prepare)

    async def checkout(self, asked: Asked) -> Answer:
        """Return the checkout COMMITTED, CANCELLED, or open and waiting for its commit.

        Raises Refusal when there is none.
        """
        return await self.flights.join(asked.key, asked.fingerprint, lambda: self._open(asked))

    async def cancel(self, principal: Principal, request_id: str) -> Record:
        """Return the checkout CANCELLED for ever; raises Refusal CHECKOUT_COMMITTED if it is not.

        One never seen is fenced: a call that arrives later finds it cancelled.
        """
        opening = self._stub(principal, request_id, b"")
        recorded = await self._journal.record_refused(opening, errors.checkout_cancelled())
        return await self.cancel_record(recorded.record)

    async def cancel_record(self, record: Record) -> Record:
        """Do the same for a checkout that there is."""
        if record.state is State.OPEN:
            record = await self.decide(record, give_up=always)
        await self.follow_up(record)
        if record.state is State.COMMITTED:
            raise errors.checkout_committed(str(record.checkout_id))
        return record

    async def settle(self, record: Record) -> Record:
        """Return a checkout decided and told to everyone, or one that waits for its commit.

        Raises Refusal CHECKOUT_IN_PROGRESS.
        """
        try:
            return await self._coordinator.conclude(record)
        except Refusal as refusal:
            _note_defect(record, refusal)
            raise errors.in_progress() from refusal

    async def drain(self, timeout_seconds: float) -> None:
        """Let work under way come to its end; what does not, recovery finds."""
        tasks: set[asyncio.Task[Any]] = {*self.flights.tasks(), *self._concluding}
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_seconds)

    async def decide(self, record: Record, *, give_up: GiveUp = never) -> Record:
        """Return a checkout decided, or waiting; raises Refusal CHECKOUT_IN_PROGRESS."""
        try:
            return await self._coordinator.decide(record, give_up=give_up)
        except Refusal as refusal:
            _note_defect(record, refusal)
            raise errors.in_progress() from refusal

    async def follow_up(self, record: Record) -> None:
        """Have the decision told to everyone, if there is one.

        What an open checkout gives back is free before the till has its answer, so that it can be
        spent at once, unless a service is away; all else is told after the answer.
        """
        if record.finished or record.state is State.OPEN:
            return
        if record.state is State.CANCELLED and record.phase is not Phase.ONE_CALL:
            await self._conclude(record)
            return
        # An empty context: the till's deadline no longer counts.
        task = asyncio.create_task(self._conclude(record), context=Context())
        self._concluding.add(task)
        task.add_done_callback(self._concluding.discard)

    async def _open(self, asked: Asked) -> Answer:
        recorded = await self._record(asked)
        record = recorded.record
        if not recorded.fresh:
            check_same(record.opening.fingerprint, asked.fingerprint)
        if record.state is State.OPEN:
            record = await self.decide(record)
        await self.follow_up(record)
        return Answer(record, replayed=not recorded.fresh)

    async def _record(self, asked: Asked) -> Recorded:
        """Write the first record, or the refusal that there is nothing to open; or find it."""
        now = self._clock.now()
        deadline = now + timedelta(seconds=min(asked.wait_seconds, DEADLINE_SECONDS_MAX))
        try:
            opening = await asked.prepare(now, deadline)
        except Refusal as refusal:
            return await self._record_refused(asked, refusal)
        return await self._coordinator.open(opening)

    async def _record_refused(self, asked: Asked, refusal: Refusal) -> Recorded:
        """Remember a rule's refusal as the answer; an outage is none, and hides none either."""
        refusal = errors.not_the_tills(refusal)
        if not refusal.passing:
            macs = asked.fingerprint.field_macs
            opening = self._stub(asked.principal, asked.request_id, macs)
            return await self._journal.record_refused(opening, refusal)
        known = await self._reads.run(read.checkout_by_request, *asked.key)
        if known is None:
            raise refusal
        return Recorded(known, fresh=False)

    async def _conclude(self, record: Record) -> None:
        try:
            await self._coordinator.conclude(record)
        except Refusal as refusal:
            _note_defect(record, refusal)
        except Exception as error:  # noqa: BLE001 - recovery does it again, and is watched
            _log.error("conclude_failed", checkout=str(record.checkout_id), exc_info=error)

    def _stub(self, principal: Principal, request_id: str, macs: bytes) -> Opening:
        now = self._clock.now()
        return Opening(
            checkout_id=new_id(),
            request_id=request_id,
            till=principal.till,
            fingerprint=macs,
            member_id=None,
            opened_at=now,
            deadline_at=now,
            plan=_NO_PLAN,
        )


def _note_defect(record: Record, refusal: Refusal) -> None:
    """Outages pass; any other refusal on the way to an end should not be, and is tried again."""
    if not refusal.passing:
        _log.error(
            "step_refused",
            checkout=str(record.checkout_id),
            state=record.state.name,
            reason=refusal.reason,
        )
