"""Fakes kept once: in-memory participants of a checkout, and the gateway's journal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from chassis.kernel import Category, Refusal
from gateway.domain.checkouts import Figures, Opening, Record, Recorded, State
from gateway.domain.commands import (
    CancelCheckout,
    Command,
    CommitCheckout,
    Finish,
    RecordCheckout,
)
from gateway.domain.deciding import Batch, decide, first_record
from gateway.domain.events import Event
from gateway.domain.participants import Posted

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def refused(reason: str) -> Refusal:
    """A rule's refusal, which a participant remembers."""
    return Refusal(Category.PRECONDITION, reason, "refused by a rule")


def away() -> Refusal:
    """What a caller is told when no answer comes: it says nothing of what happened."""
    return Refusal(Category.UNAVAILABLE, "UNAVAILABLE", "no answer")


@dataclass
class FakeLedger:
    """The points service: posts once, remembers, fences. Requests are `<verb>:<checkout>`.

    `insufficient` names checkouts whose post is refused; `to_pay` what is left to pay of others.
    """

    insufficient: set[str] = field(default_factory=set)
    to_pay: dict[str, int] = field(default_factory=dict)
    posted: dict[str, Posted] = field(default_factory=dict)
    fenced: set[str] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    remembered: dict[str, Refusal] = field(default_factory=dict)

    def post(self, request: bytes) -> Posted:
        checkout = _checkout_of(request)
        if checkout in self.posted:
            return self.posted[checkout]
        if checkout in self.remembered:
            raise self.remembered[checkout].copy(replayed=True)
        if checkout in self.fenced or checkout in self.insufficient:
            reason = "CHECKOUT_CANCELLED" if checkout in self.fenced else "INSUFFICIENT_POINTS"
            self.remembered[checkout] = refused(reason)
            raise self.remembered[checkout].copy()
        self.posted[checkout] = Posted(self.to_pay.get(checkout, 0), checkout)
        return self.posted[checkout]

    def cancel_post(self, request: bytes) -> Posted | None:
        checkout = _checkout_of(request)
        if checkout not in self.posted:
            self.fenced.add(checkout)
        return self.posted.get(checkout)

    def reverse(self, request: bytes) -> str:
        checkout = _checkout_of(request)
        if checkout not in self.posted:
            raise refused("CHECKOUT_NOT_FOUND")
        self.reversed.add(checkout)
        return checkout


@dataclass
class FakeCoupons:
    """The coupon service with a single coupon that every checkout wants."""

    holder: str = ""
    redeemed_by: str = ""
    reserved: set[str] = field(default_factory=set)
    fenced: set[str] = field(default_factory=set)
    remembered: dict[str, Refusal] = field(default_factory=dict)

    def reserve(self, request: bytes) -> None:
        checkout = _checkout_of(request)
        if checkout in self.fenced:
            raise refused("CHECKOUT_CANCELLED")
        if checkout in self.reserved:
            return
        if checkout in self.remembered:
            raise self.remembered[checkout].copy(replayed=True)
        if self.holder:
            self.remembered[checkout] = refused("COUPON_RESERVED")
            raise self.remembered[checkout].copy()
        self.holder = checkout
        self.reserved.add(checkout)

    def redeem(self, request: bytes) -> None:
        checkout = _checkout_of(request)
        if checkout in self.fenced:
            raise refused("CHECKOUT_CANCELLED")
        if checkout not in self.reserved:
            raise refused("CHECKOUT_NOT_FOUND")
        self.redeemed_by = checkout

    def cancel(self, request: bytes) -> None:
        checkout = _checkout_of(request)
        if self.redeemed_by == checkout:
            raise refused("CHECKOUT_REDEEMED")
        self.fenced.add(checkout)
        if self.holder == checkout:
            self.holder = ""


@dataclass
class FakeJournal:
    """The gateway's rows in memory, decided by the real rules, one command at a time."""

    records: dict[UUID, Record] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def record(self, opening: Opening, refusal: Refusal | None = None) -> Recorded:
        known = self._by_request(opening)
        batch = Batch()
        if known is None:
            command = RecordCheckout(opening, refusal)
            self.records[opening.checkout_id] = first_record(command)
            batch.fresh.add(opening.checkout_id)
        else:
            batch.records[opening.till.merchant_id, opening.request_id] = known
        answer = self._decide(batch, RecordCheckout(opening, refusal))
        assert isinstance(answer, Recorded)
        return answer

    def commit(self, record: Record, posted: Posted, *, finished: bool) -> Record:
        return self._settle(
            CommitCheckout(record, str(posted.answer).encode(), Figures(0, 0, 0), finished)
        )

    def cancel(self, record: Record, refusal: Refusal, *, finished: bool) -> Record:
        return self._settle(CancelCheckout(record, refusal, finished))

    def finish(self, record_id: UUID) -> None:
        self._decide(Batch(), Finish(record_id))

    def unfinished(self) -> list[Record]:
        """What recovery would claim."""
        return [record for record in self.records.values() if not record.finished]

    def _by_request(self, opening: Opening) -> Record | None:
        key = opening.till.merchant_id, opening.request_id
        for record in self.records.values():
            if (record.opening.till.merchant_id, record.opening.request_id) == key:
                return record
        return None

    def _settle(self, command: CommitCheckout | CancelCheckout) -> Record:
        row = self.records[command.record.checkout_id]
        member_id = row.opening.member_id
        assert member_id is not None
        batch = Batch(versions={member_id: self.versions.get(member_id, 0)})
        if row.state is State.OPEN:
            batch.open_checkouts.add(row.checkout_id)
        else:
            batch.decided[row.checkout_id] = row
        answer = self._decide(batch, command)
        assert isinstance(answer, Record)
        return answer

    def _decide(self, batch: Batch, command: Command) -> object:
        decision = decide(batch, command, NOW)
        self.versions |= batch.versions
        self.events += decision.events
        for record, _ in batch.decisions:
            self.records[record.checkout_id] = record
        for record_id in batch.finished:
            self.records[record_id] = replace(self.records[record_id], finished=True)
        return decision.answer


def _checkout_of(request: bytes) -> str:
    return request.decode().partition(":")[2]
