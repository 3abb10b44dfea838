"""A world in which every message of a driver may be delayed, lost, repeated or outlive it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Any
from uuid import UUID, uuid5

from chassis.kernel import Refusal
from gateway.domain import errors
from gateway.domain.checkouts import (
    CommitKey,
    CommitPlan,
    Opening,
    Phase,
    Plan,
    Record,
    Recorded,
    State,
    Till,
)
from gateway.domain.coordinator import Coordinator, always
from gateway.domain.participants import Posted, Reversed
from tests.fakes import NOW, FakeCoupons, FakeJournal, FakeLedger, away

SPACE = UUID("00000000-0000-4000-8000-000000000001")
TILL = Till(SPACE, SPACE, SPACE, "SHA01")
MEMBER = uuid5(SPACE, "member")
OPEN_FOR = timedelta(minutes=30)


class Fate(Enum):
    """What becomes of one message of a driver."""

    ANSWERED = auto()  # it arrives, and its answer too
    UNANSWERED = auto()  # it arrives, its answer is lost
    LOST = auto()  # it never arrives
    LATE = auto()  # the driver gives it up, and it arrives later
    CRASHED_BEFORE = auto()  # the driver dies before it is sent
    CRASHED_AFTER = auto()  # the driver dies after it arrived
    CRASHED_LATE = auto()  # the driver dies and it arrives later


class Message:
    """An operation on its way; awaiting it hands it to whoever steps the driver."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self.run = run

    def __await__(self) -> Generator[Message, Any, Any]:
        outcome = yield self
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def arrive(message: Message) -> Any:
    """Let an operation take effect; returns its answer or the refusal."""
    try:
        return message.run()
    except Refusal as refusal:
        return refusal


class Wires:
    """Participants and journal as a driver sees them: each call is a message."""

    def __init__(self, ledger: FakeLedger, coupons: FakeCoupons, journal: FakeJournal) -> None:
        self._ledger, self._coupons, self._journal = ledger, coupons, journal

    async def reserve(self, request: bytes) -> None:
        await Message(lambda: self._coupons.reserve(request))

    async def authorize(self, request: bytes) -> object:
        return await Message(lambda: self._ledger.authorize(request))

    async def post(self, request: bytes) -> Posted:
        posted: Posted = await Message(lambda: self._ledger.post(request))
        return posted

    async def cancel_post(self, request: bytes) -> Posted | None:
        posted: Posted | None = await Message(lambda: self._ledger.cancel_post(request))
        return posted

    async def reverse_post(self, request: bytes) -> None:
        await Message(lambda: self._ledger.reverse(request))

    async def undo_post(self, request: bytes) -> None:
        await Message(lambda: self._ledger.undo(request))

    async def redeem(self, request: bytes) -> None:
        await Message(lambda: self._coupons.redeem(request))

    async def cancel_reservation(self, request: bytes) -> None:
        await Message(lambda: self._coupons.cancel(request))

    async def reverse(self, request: bytes) -> Reversed:
        return Reversed(True, await Message(lambda: self._ledger.reverse(request)))

    async def roll_back(self, request: bytes) -> object:
        raise AssertionError(f"no refund here: {request!r}")

    async def record(self, opening: Opening, refusal: Refusal | None = None) -> Recorded:
        recorded: Recorded = await Message(lambda: self._journal.record(opening, refusal))
        return recorded

    async def note_held(self, record: Record, authorized: object | None) -> Record:
        noted: Record = await Message(lambda: self._journal.note_held(record, authorized))
        return noted

    async def take_commit(self, record: Record, commit: CommitPlan) -> Record:
        taken: Record = await Message(lambda: self._journal.take_commit(record, commit))
        return taken

    async def commit(self, record: Record, posted: Posted, *, finished: bool) -> Record:
        decided: Record = await Message(
            lambda: self._journal.commit(record, posted, finished=finished)
        )
        return decided

    async def cancel(self, record: Record, refusal: Refusal, *, finished: bool) -> Record:
        decided: Record = await Message(
            lambda: self._journal.cancel(record, refusal, finished=finished)
        )
        return decided

    async def finish(self, record_id: UUID) -> None:
        await Message(lambda: self._journal.finish(record_id))


async def nowhere(_name: str) -> None:
    """A `Reach` at which nothing happens."""


@dataclass
class Driver:
    """A coroutine and the message it waits for."""

    coroutine: Coroutine[Message, Any, None]
    message: Message


@dataclass
class World:
    """Everything a checkout can meet. `answers` holds what tills were told, by request id.

    `given_up` are the requests that a till has cancelled.
    """

    ledger: FakeLedger = field(default_factory=FakeLedger)
    coupons: FakeCoupons = field(default_factory=FakeCoupons)
    journal: FakeJournal = field(default_factory=FakeJournal)
    drivers: list[Driver] = field(default_factory=list)
    late: list[Message] = field(default_factory=list)
    answers: dict[str, list[State]] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    calls: int = 0

    def __post_init__(self) -> None:
        wires = Wires(self.ledger, self.coupons, self.journal)
        self._wires = wires
        self._coordinator = Coordinator(wires, wires, nowhere)

    def call(self, request_id: str, *, coupon: bool, mispriced: bool = False) -> None:
        """A till makes a checkout, or repeats it."""
        self._begin(self._checkout(self._opening(request_id, coupon, mispriced)))

    def open(self, request_id: str, *, coupon: bool, value: bool) -> None:
        """A till opens a checkout, or repeats it."""
        opening = self._opening(request_id, coupon, mispriced=False)
        self._begin(self._checkout(_opened_first(opening, value=value)))

    def commit(self, request_id: str, bill: str, *, mispriced: bool = False) -> None:
        """A till commits what it opened, with a bill of its own."""
        for record in self.journal.records.values():
            if record.opening.request_id == request_id and record.phase is Phase.WAITING:
                self._begin(self._commit(record, bill, mispriced))

    def pass_time(self) -> None:
        """The deadlines of all that is open pass."""
        self.journal.now = NOW + OPEN_FOR

    def cancel(self, request_id: str) -> None:
        """A till in doubt cancels."""
        self.given_up.add(request_id)
        self._begin(self._cancel(self._opening(request_id, coupon=False, mispriced=False)))

    def recover(self, *, give_up: bool) -> None:
        """Recovery takes up whatever is unfinished now."""
        for record in self.journal.unfinished():
            self._begin(self._recovery(record, give_up))

    def step(self, driver: Driver, fate: Fate) -> None:
        """Let one message of one driver meet its fate."""
        message = driver.message
        match fate:
            case Fate.ANSWERED:
                self._resume(driver, arrive(message))
            case Fate.UNANSWERED:
                arrive(message)
                self._resume(driver, away())
            case Fate.LOST:
                self._resume(driver, away())
            case Fate.LATE:
                self.late.append(message)
                self._resume(driver, away())
            case Fate.CRASHED_BEFORE:
                self._end(driver)
            case Fate.CRASHED_AFTER:
                arrive(message)
                self._end(driver)
            case Fate.CRASHED_LATE:
                self.late.append(message)
                self._end(driver)

    def settle(self) -> None:
        """All that is under way dies, what is late arrives, and recovery brings all to an end."""
        for driver in list(self.drivers):
            self._end(driver)
        for message in self.late:
            arrive(message)
        self.late.clear()
        self.pass_time()
        for _ in range(3):
            self.recover(give_up=True)
            while self.drivers:
                self.step(self.drivers[0], Fate.ANSWERED)
        assert self.journal.unfinished() == []

    def _opening(self, request_id: str, coupon: bool, mispriced: bool) -> Opening:
        self.calls += 1
        name = f"{request_id}#{self.calls}"
        verbs = ("reserve", "redeem", "cancel") if coupon else ()
        reserve, redeem, cancel = (f"{verb}:{name}".encode() for verb in verbs) if verbs else (
            b"", b"", b"",
        )  # fmt: skip
        return Opening(
            checkout_id=uuid5(SPACE, name),
            request_id=request_id,
            till=TILL,
            fingerprint=b"same",
            member_id=MEMBER,
            opened_at=NOW,
            deadline_at=NOW,
            plan=Plan(
                f"post:{name}".encode(),
                f"cancel_post:{name}".encode(),
                reserve,
                redeem,
                cancel,
                f"reverse:{name}".encode() if mispriced else b"",
            ),
            tendered_minor=1 if mispriced else None,
        )

    async def _checkout(self, opening: Opening) -> None:
        recorded = await self._coordinator.open(opening)
        record = recorded.record
        if record.state is State.OPEN:
            record = await self._coordinator.decide(record)
        self._told(record)
        await self._coordinator.conclude(record)

    async def _commit(self, record: Record, bill: str, mispriced: bool) -> None:
        """As the desk does: what was taken is carried out, whoever's it was."""
        name = record.opening.plan.cancel_post.decode().partition(":")[2]
        commit = CommitPlan(
            CommitKey(bill, b"same"),
            post=f"post:{name}@{bill}".encode(),
            reverse=f"reverse:{name}".encode() if mispriced else b"",
            draft=b"",
            gross_minor=0,
            tendered_minor=1 if mispriced else None,
        )
        record = await self._coordinator.take_commit(record, commit)
        record = await self._coordinator.decide(record)
        self._told(record)
        await self._coordinator.conclude(record)

    async def _cancel(self, opening: Opening) -> None:
        recorded = await self._wires.record(opening, errors.checkout_cancelled())
        record = recorded.record
        if record.state is State.OPEN:
            record = await self._coordinator.decide(record, give_up=always)
        self._told(record)
        await self._coordinator.conclude(record)

    async def _recovery(self, record: Record, give_up: bool) -> None:
        """`give_up`: the deadline of the till's own call has passed."""

        def overdue(seen: Record) -> bool:
            waits = seen.phase in {Phase.ONE_CALL, Phase.OPENING}
            return give_up if waits else seen.overdue(self.journal.now)

        await self._coordinator.conclude(record, give_up=overdue)

    def _told(self, record: Record) -> None:
        if record.state is not State.OPEN:
            self.answers.setdefault(record.opening.request_id, []).append(record.state)

    def _begin(self, coroutine: Coroutine[Message, Any, None]) -> None:
        self._advance(Driver(coroutine, Message(_nothing)), None)

    def _resume(self, driver: Driver, outcome: Any) -> None:
        self.drivers.remove(driver)
        self._advance(driver, outcome)

    def _advance(self, driver: Driver, outcome: Any) -> None:
        try:
            driver.message = driver.coroutine.send(outcome)
        except StopIteration:
            return
        except Refusal as refusal:
            if not refusal.passing:
                raise
        else:
            self.drivers.append(driver)

    def _end(self, driver: Driver) -> None:
        self.drivers.remove(driver)
        driver.coroutine.close()


def _opened_first(opening: Opening, *, value: bool) -> Opening:
    """The same checkout where it is opened first and committed later."""
    plan = opening.plan
    name = plan.post.decode().partition(":")[2]
    authorize = f"authorize:{name}".encode() if value else b""
    return replace(
        opening,
        plan=replace(plan, post=b"", authorize=authorize),
        commit_by=NOW + OPEN_FOR,
    )


def _nothing() -> None:
    raise AssertionError("a driver begins by itself")
