"""The checkout desk: one call, one effect, however often and however concurrently it is made."""

from __future__ import annotations

import asyncio
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.kernel import Refusal
from chassis.storage.reads import Reads
from chassis.telemetry.logs import get_logger
from gateway.converters.fingerprints import Fingerprint, differing_field, nested_fingerprint
from gateway.converters.purchases import to_opening
from gateway.domain import errors
from gateway.domain.bills import check_bill
from gateway.domain.checkouts import Opening, Plan, Record, Recorded, State
from gateway.domain.coordinator import Coordinator
from gateway.domain.principals import Principal
from gateway.servicers.pricing import Pricing
from gateway.storage import reads as read
from gateway.storage.journal import ExecutorJournal

DEADLINE_SECONDS_MAX = 30.0
"""However long a till waits: after it, recovery settles what is still in doubt."""

_NO_PLAN = Plan(post=b"", cancel_post=b"")
_log = get_logger("gateway.desk")


@dataclass(frozen=True, slots=True)
class Asked:
    """One Checkout call: by whom, what, and how long the till waits."""

    principal: Principal
    request_id: str
    purchase: checkout_pb2.Purchase
    fingerprint: Fingerprint
    wait_seconds: float

    @property
    def key(self) -> tuple[UUID, str]:
        return self.principal.merchant_id, self.request_id


@dataclass(frozen=True, slots=True)
class Answer:
    """A decided checkout; `replayed` when an earlier call had opened it."""

    record: Record
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Flight:
    """A call being carried out in this process; repetitions of it wait for its answer."""

    fingerprint: Fingerprint
    task: asyncio.Task[Answer]


class CheckoutDesk:
    """Carries out Checkout and CancelCheckout. For one event loop."""

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
        self._flights: dict[tuple[UUID, str], _Flight] = {}
        self._concluding: set[asyncio.Task[None]] = set()

    def read_request(
        self, request: partner_service_pb2.CheckoutRequest, principal: Principal, wait: float
    ) -> Asked:
        """Return what is asked; raises Refusal for a bill that is wrong in itself."""
        purchase = request.purchase
        check_bill(purchase.currency, [line.line_id for line in purchase.lines])
        fingerprint = nested_fingerprint(purchase, request.request_id, self._key, within="purchase")
        return Asked(principal, request.request_id, purchase, fingerprint, wait)

    async def checkout(self, asked: Asked) -> Answer:
        """Return the decided checkout, COMMITTED or CANCELLED; raises Refusal when there is none.

        Work goes on when the till stops waiting: the task belongs to nobody's call.
        """
        flight = self._flights.get(asked.key)
        if flight is not None:
            _check_same(flight.fingerprint.field_macs, asked.fingerprint)
            answer = await _wait_for(flight.task)
            return Answer(answer.record, replayed=True)
        task = asyncio.create_task(self._carry_out(asked))
        self._flights[asked.key] = _Flight(asked.fingerprint, task)
        task.add_done_callback(lambda done: self._landed(asked.key, done))
        return await _wait_for(task)

    async def cancel(self, principal: Principal, request_id: str) -> Record:
        """Return the checkout CANCELLED for ever; raises Refusal CHECKOUT_COMMITTED if it is not.

        One never seen is fenced: a call that arrives later finds it cancelled.
        """
        opening = self._stub(principal, request_id, b"")
        recorded = await self._journal.record_refused(opening, errors.checkout_cancelled())
        record = recorded.record
        if record.state is State.OPEN:
            record = await self._decide(record, give_up=True)
        self._conclude_later(record)
        if record.state is State.COMMITTED:
            raise errors.checkout_committed(str(record.checkout_id))
        return record

    async def settle(self, record: Record) -> Record:
        """Return a checkout decided and told to everyone; raises Refusal CHECKOUT_IN_PROGRESS."""
        try:
            return await self._coordinator.conclude(record)
        except Refusal as refusal:
            _note_defect(record, refusal)
            raise errors.in_progress() from refusal

    async def drain(self, timeout_seconds: float) -> None:
        """Let work under way come to its end; what does not, recovery finds."""
        tasks = {flight.task for flight in self._flights.values()} | self._concluding
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_seconds)

    async def _carry_out(self, asked: Asked) -> Answer:
        recorded = await self._record(asked)
        record = recorded.record
        if not recorded.fresh:
            _check_same(record.opening.fingerprint, asked.fingerprint)
        if record.state is State.OPEN:
            record = await self._decide(record)
        self._conclude_later(record)
        return Answer(record, replayed=not recorded.fresh)

    async def _record(self, asked: Asked) -> Recorded:
        """Write the first record, or the refusal that there is nothing to open; or find it."""
        now = self._clock.now()
        try:
            bill = await self._pricing.price(asked.purchase, asked.principal, now)
        except Refusal as refusal:
            return await self._record_refused(asked, refusal)
        deadline = now + timedelta(seconds=min(asked.wait_seconds, DEADLINE_SECONDS_MAX))
        opening = to_opening(
            bill,
            checkout_id=new_id(),
            request_id=asked.request_id,
            fingerprint=asked.fingerprint.field_macs,
            opened_at=now,
            deadline_at=deadline,
        )
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

    async def _decide(self, record: Record, *, give_up: bool = False) -> Record:
        try:
            return await self._coordinator.decide(record, give_up=give_up)
        except Refusal as refusal:
            _note_defect(record, refusal)
            raise errors.in_progress() from refusal

    def _conclude_later(self, record: Record) -> None:
        """Tell the participants the decision after the till has its answer."""
        if record.finished:
            return
        # An empty context: the till's deadline no longer counts.
        task = asyncio.create_task(self._conclude(record), context=Context())
        self._concluding.add(task)
        task.add_done_callback(self._concluding.discard)

    async def _conclude(self, record: Record) -> None:
        try:
            await self._coordinator.conclude(record)
        except Refusal as refusal:
            _note_defect(record, refusal)
        except Exception as error:  # noqa: BLE001 - recovery does it again, and is watched
            _log.error("conclude_failed", checkout=str(record.checkout_id), exc_info=error)

    def _landed(self, key: tuple[UUID, str], done: asyncio.Task[Answer]) -> None:
        self._flights.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; if nobody did, it is no loss

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


async def _wait_for(task: asyncio.Task[Answer]) -> Answer:
    """Return a flight's answer without ending it when this till goes; each gets its own refusal."""
    try:
        return await asyncio.shield(task)
    except Refusal as refusal:
        raise refusal.copy() from None


def _check_same(remembered: bytes, asked: Fingerprint) -> None:
    field = differing_field(remembered, asked)
    if field is not None:
        raise errors.request_id_reused(field)


def _note_defect(record: Record, refusal: Refusal) -> None:
    """Outages pass; any other refusal on the way to an end should not be, and is tried again."""
    if not refusal.passing:
        _log.error(
            "step_refused",
            checkout=str(record.checkout_id),
            state=record.state.name,
            reason=refusal.reason,
        )
