"""Fakes kept once: in-memory participants of a checkout, and the gateway's journal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from chassis.kernel import Category, Refusal
from gateway.domain.checkouts import CommitPlan, Figures, Held, Opening, Record, Recorded, State
from gateway.domain.commands import (
    CancelCheckout,
    Command,
    CommitCheckout,
    Decides,
    Finish,
    NoteHeld,
    RecordCheckout,
    TakeCommit,
)
from gateway.domain.deciding import Batch, decide, first_record
from gateway.domain.events import Event
from gateway.domain.participants import Posted

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def refused(reason: str, **metadata: str) -> Refusal:
    """A rule's refusal, which a participant remembers."""
    return Refusal(Category.PRECONDITION, reason, "refused by a rule", metadata=metadata)


def away() -> Refusal:
    """What a caller is told when no answer comes: it says nothing of what happened."""
    return Refusal(Category.UNAVAILABLE, "UNAVAILABLE", "no answer")


@dataclass
class FakeLedger:
    """The points service: holds, posts once, remembers, fences. Requests are `<verb>:<checkout>`.

    What follows an `@` in a request is content of its own. `insufficient` names checkouts whose
    post or hold is refused, `unexpected` those whose post is, because another amount is left to
    pay; `to_pay` what is left to pay of others. The points that `spent` ones earned are gone: they
    are only undone. `holds` are the open ones.
    """

    insufficient: set[str] = field(default_factory=set)
    unexpected: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)
    holds: set[str] = field(default_factory=set)
    authorized: set[str] = field(default_factory=set)
    to_pay: dict[str, int] = field(default_factory=dict)
    posted: dict[str, Posted] = field(default_factory=dict)
    fenced: set[str] = field(default_factory=set)
    reversed: set[str] = field(default_factory=set)
    remembered: dict[str, Refusal] = field(default_factory=dict)

    def authorize(self, request: bytes) -> str:
        checkout = _checkout_of(request)
        if checkout not in self.authorized:
            self._check(request, checkout)
            self.authorized.add(checkout)
            self.holds.add(checkout)
        return checkout

    def post(self, request: bytes) -> Posted:
        checkout = _checkout_of(request)
        if checkout in self.posted:
            if self.posted[checkout].answer != request:
                raise refused("REQUEST_ID_REUSED")
            return self.posted[checkout]
        self._check(request, checkout)
        self.holds.discard(checkout)
        self.posted[checkout] = Posted(self.to_pay.get(checkout, 0), request)
        return self.posted[checkout]

    def cancel_post(self, request: bytes) -> Posted | None:
        checkout = _checkout_of(request)
        if checkout not in self.posted:
            self.fenced.add(checkout)
            self.holds.discard(checkout)
        return self.posted.get(checkout)

    def _check(self, request: bytes, checkout: str) -> None:
        """Refuse what a rule refuses, now and for ever."""
        verb = request.decode().partition(":")[0]
        key = f"{verb}:{checkout}"
        if key in self.remembered:
            raise self.remembered[key].copy(replayed=True)
        if checkout in self.fenced:
            self.remembered[key] = refused("CHECKOUT_CANCELLED")
        elif checkout in self.insufficient:
            self.remembered[key] = refused("INSUFFICIENT_POINTS")
        elif verb == "post" and checkout in self.unexpected:
            self.remembered[key] = refused("TO_PAY_DIFFERS", to_pay_minor="0")
        if key in self.remembered:
            raise self.remembered[key].copy()

    def reverse(self, request: bytes) -> str:
        """Once; the same again is the first answer again, whichever it was."""
        checkout = _checkout_of(request)
        if checkout not in self.posted:
            raise refused("CHECKOUT_NOT_FOUND")
        if checkout in self.spent:
            raise refused("EARNED_POINTS_SPENT")
        self.reversed.add(checkout)
        return checkout

    def undo(self, request: bytes) -> str:
        """Reverse it also where its points are spent."""
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
    now: datetime = NOW

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

    def note_held(self, record: Record, authorized: object | None) -> Record:
        return self._settle(NoteHeld(record, Held(str(authorized).encode())))

    def take_commit(self, record: Record, commit: CommitPlan) -> Record:
        return self._settle(TakeCommit(record, commit))

    def commit(self, record: Record, posted: Posted, *, finished: bool) -> Record:
        return self._settle(
            CommitCheckout(record, _encoded(posted.answer), Figures(0, 0, 0), finished)
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

    def _settle(self, command: Decides) -> Record:
        row = self.records[command.record.checkout_id]
        member_id = row.opening.member_id
        assert member_id is not None
        batch = Batch(versions={member_id: self.versions.get(member_id, 0)})
        if row.state is State.OPEN:
            batch.open_checkouts[row.checkout_id] = row.phase
        if row.state is not State.OPEN or row.phase is not command.record.phase:
            batch.standing[row.checkout_id] = row
        answer = self._decide(batch, command)
        assert isinstance(answer, Record)
        return answer

    def _decide(self, batch: Batch, command: Command) -> object:
        decision = decide(batch, command, self.now)
        self.versions |= batch.versions
        self.events += decision.events
        decided = [record for record, _ in batch.decisions]
        for record in [*batch.opened, *batch.commits, *decided]:
            self.records[record.checkout_id] = record
        for record_id in batch.finished:
            self.records[record_id] = replace(self.records[record_id], finished=True)
        return decision.answer


def _encoded(answer: object) -> bytes:
    return answer if isinstance(answer, bytes) else str(answer).encode()


def _checkout_of(request: bytes) -> str:
    return request.decode().partition(":")[2].partition("@")[0]
