"""The desk of open checkouts: what is set aside by one call, and committed by another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as pb

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.kernel import Refusal
from chassis.storage.reads import Reads
from gateway.converters.fingerprints import Fingerprint, fingerprint
from gateway.converters.opening import to_commit_plan, to_first_record
from gateway.domain import errors
from gateway.domain.bills import CURRENCY, check_bill
from gateway.domain.checkouts import CommitPlan, Opening, Phase, Record, State
from gateway.domain.coordinator import Coordinator
from gateway.domain.notes import Note
from gateway.domain.principals import Principal
from gateway.servicers.desk import Asked, CheckoutDesk
from gateway.servicers.flights import Answer, check_same
from gateway.servicers.intake import Intake, plain_note
from gateway.servicers.pricing import Pricing
from gateway.storage import reads as read


@dataclass(frozen=True, slots=True)
class OpenTerms:
    """How long a checkout may stay open: where the till says nothing, and at most."""

    usual: timedelta
    longest: timedelta


@dataclass(slots=True)
class _Commit:
    """One CommitCheckout call on its way; what it found out before it was noted."""

    request: pb.CommitCheckoutRequest
    principal: Principal
    fingerprint: Fingerprint
    record: Record | None = None
    plan: CommitPlan | None = None
    refusal: Refusal | None = None

    def is_untaken(self) -> bool:
        """Whether the record says nothing of this very commit yet."""
        taken = self.record.commit if self.record is not None else None
        return taken is None or taken.request_id != self.request.request_id


class OpenDesk:
    """Carries out OpenCheckout and CommitCheckout. For one event loop."""

    def __init__(
        self,
        desk: CheckoutDesk,
        coordinator: Coordinator,
        pricing: Pricing,
        intake: Intake,
        reads: Reads,
        clock: Clock,
        key: bytes,
        terms: OpenTerms,
    ) -> None:
        self._desk = desk
        self._coordinator = coordinator
        self._pricing = pricing
        self._intake = intake
        self._reads = reads
        self._clock = clock
        self._key = key
        self._terms = terms

    def read_request(
        self, request: pb.OpenCheckoutRequest, principal: Principal, wait: float
    ) -> Asked:
        """Return what is asked; raises Refusal for a request that is wrong in itself."""
        check_bill(request.currency, [line.line_id for line in request.lines], within="")
        open_for = self._open_for(request)
        said = fingerprint(request, self._key)

        async def prepare(now: datetime, deadline_at: datetime) -> Opening:
            return to_first_record(
                request,
                await self._pricing.open(request, principal, now),
                checkout_id=new_id(),
                hold_id=new_id(),
                fingerprint=said.field_macs,
                opened_at=now,
                deadline_at=deadline_at,
                commit_by=now + open_for,
            )

        return Asked(principal, request.request_id, said, wait, prepare)

    async def quote(
        self, request: pb.CommitCheckoutRequest, principal: Principal
    ) -> checkout_pb2.Receipt:
        """Return what this commit would come to now; changes nothing, raises Refusal as it does."""
        check_bill(CURRENCY, [line.line_id for line in request.lines], within="commit.")
        record, now = await self._waiting(request, principal), self._clock.now()
        try:
            return await self._pricing.quote_commit(record, request, principal, now)
        except Refusal as refusal:
            if not refusal.passing:
                # An end that came meanwhile is told as it is, not in the ledger's words.
                await self._waiting(request, principal)
            raise

    async def commit(self, request: pb.CommitCheckoutRequest, principal: Principal) -> Answer:
        """Return the checkout decided by this commit; raises Refusal where it is not.

        A refusal before the commit is taken leaves the checkout open, and is remembered.
        """
        check_bill(CURRENCY, [line.line_id for line in request.lines], within="")
        commit = _Commit(request, principal, fingerprint(request, self._key))
        key = "commit", principal.merchant_id, request.request_id
        return await self._desk.flights.join(
            key, commit.fingerprint, lambda: self._carry_out(commit)
        )

    async def _carry_out(self, commit: _Commit) -> Answer:
        """Note the request, so that its refusals are remembered; take it; carry it out."""
        request, principal = commit.request, commit.principal
        await self._intake.note(request, principal, self._find_out(commit))
        if commit.refusal is not None and commit.plan is None:
            # Noted as good before it could be taken; now it is not.
            raise commit.refusal
        record = commit.record
        assert record is not None
        if commit.plan is not None:
            record = await self._coordinator.take_commit(record, commit.plan)
        replayed = commit.plan is None or record.opening.plan.post != commit.plan.post
        if record.state is State.OPEN:
            record = await self._desk.decide(record)
        await self._desk.follow_up(record)
        commit.record = record
        if record.commit is None or commit.is_untaken():
            raise _why_not(record)
        check_same(record.commit.fingerprint, commit.fingerprint)
        return Answer(record, replayed)

    async def _find_out(self, commit: _Commit) -> Note:
        """Price the commit; raises Refusal, which is then the request's answer for good."""
        try:
            commit.record = await self._record_of(commit.request, commit.principal)
            if commit.is_untaken():
                commit.plan = await self._plan(commit, commit.record)
        except Refusal as refusal:
            commit.refusal = refusal
            raise
        return plain_note(commit.principal)

    async def _record_of(self, request: pb.CommitCheckoutRequest, principal: Principal) -> Record:
        """Return the merchant's checkout, waiting or at its end; raises Refusal as `_find`."""
        record = await self._find(request, principal)
        if record.state is State.OPEN:
            record = await self._desk.decide(record, give_up=self._too_late)
            await self._desk.follow_up(record)
        return record

    async def _waiting(self, request: pb.CommitCheckoutRequest, principal: Principal) -> Record:
        """Return the checkout that waits for its commit, changing nothing; raises Refusal."""
        record = await self._find(request, principal)
        if record.state is not State.OPEN:
            raise _why_not(record)
        if record.phase is not Phase.WAITING:
            raise errors.in_progress()
        if record.overdue(self._clock.now()):
            raise errors.checkout_expired()
        return record

    async def _find(self, request: pb.CommitCheckoutRequest, principal: Principal) -> Record:
        """Return the merchant's opened checkout; raises Refusal where there is none such."""
        record = await self._reads.run(read.checkout_by_id, UUID(request.checkout_id))
        if record is None or record.opening.till.merchant_id != principal.merchant_id:
            raise errors.checkout_not_found()
        if record.phase is Phase.ONE_CALL:
            raise errors.checkout_not_opened()
        return record

    async def _plan(self, commit: _Commit, record: Record) -> CommitPlan | None:
        """Return what the commit would add; None where it was taken by another replica meanwhile.

        While it is being priced another end may come first, and the ledger may say so in words of
        its own: what the row says then is the answer.
        """
        if record.state is not State.OPEN:
            raise _why_not(record)
        request, now = commit.request, self._clock.now()
        try:
            bill = await self._pricing.commit(record, request, commit.principal, now)
        except Refusal as refusal:
            if refusal.passing:
                raise
            commit.record = await self._record_of(request, commit.principal)
            if not commit.is_untaken():
                return None
            if commit.record.state is not State.OPEN:
                raise _why_not(commit.record) from refusal
            raise
        return to_commit_plan(bill, record, request.request_id, commit.fingerprint.field_macs)

    def _too_late(self, record: Record) -> bool:
        """Whether the deadline decides; what is still being opened is opened first."""
        return record.phase is Phase.WAITING and record.overdue(self._clock.now())

    def _open_for(self, request: pb.OpenCheckoutRequest) -> timedelta:
        if not request.HasField("open_for"):
            return self._terms.usual
        wanted = timedelta(seconds=request.open_for.seconds)
        if request.open_for.nanos:
            raise errors.invalid_field("open_for", "must be whole seconds")
        if wanted > self._terms.longest:
            seconds = int(self._terms.longest.total_seconds())
            raise errors.invalid_field("open_for", f"must be {seconds} s at most here")
        return wanted


def _why_not(record: Record) -> Refusal:
    """Why a checkout that has come to its end can't be committed any more."""
    if record.state is State.COMMITTED:
        return errors.checkout_committed(str(record.checkout_id))
    assert record.refusal is not None, "a cancelled checkout says why"
    expired = record.refusal.reason == errors.checkout_expired().reason
    return errors.checkout_expired() if expired else errors.checkout_cancelled()
