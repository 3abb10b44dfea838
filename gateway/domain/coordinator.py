"""The coordinator: drives a recorded checkout to its end, whoever began it.

The till's own call, a repeated call, a cancellation and recovery all run this same code over the
same recorded bytes, at once if need be. Every step is idempotent at its participant and the
decision is a compare-and-set, so that however they interleave the end is one and the same. A
checkout that is opened first rests, WAITING, until its commit is taken or somebody gives it up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from chassis.kernel import Refusal
from gateway.domain import errors
from gateway.domain.checkouts import CommitPlan, Opening, Phase, Record, Recorded, State
from gateway.domain.participants import Journal, Participants, Posted
from gateway.domain.steps import (
    Hold,
    Posting,
    Progress,
    Reservation,
    Step,
    next_step,
    told_everyone,
)

Reach = Callable[[str], Awaitable[None]]
"""Called before and after each step with a name a test may make the process die at."""

GiveUp = Callable[[Record], bool]
"""Whether nobody waits for a checkout any more; asked anew whenever its row has moved on."""

FENCES = frozenset({"CHECKOUT_CANCELLED", "HOLD_RELEASED"})
"""What a participant says where somebody has gone back: a driver, or an operator by hand."""
DOUBTFUL_REASONS = frozenset(
    {
        "CHECKOUT_EXISTS",
        "REQUEST_ID_REUSED",
        "INVALID_FIELD",
        "DEADLINE_MISSING",
        "CALLER_NOT_ALLOWED",
        "UNAUTHENTICATED",
        "INTERNAL",
    }
)
"""Refusals that a participant does not remember: they do not prove that nothing happened."""

_NAMES = {
    Step.RESERVE: "reserve",
    Step.AUTHORIZE: "authorize",
    Step.OPEN: "open",
    Step.POST: "post",
    Step.CANCEL_POST: "cancel_post",
    Step.REVERSE: "reverse_post",
    Step.RELEASE: "release",
    Step.COMMIT: "decision",
    Step.CANCEL: "decision",
    Step.REDEEM: "redeem",
    Step.FINISH: "finish",
}
_BEFORE = {step: f"gateway.checkout.before_{name}" for step, name in _NAMES.items()}
_AFTER = {step: f"gateway.checkout.after_{name}" for step, name in _NAMES.items()}


@dataclass(slots=True)
class _Course:
    """One driver's way through a checkout."""

    record: Record
    progress: Progress
    authorized: object | None = None
    posted: Posted | None = None
    refusal: Refusal | None = None


def never(_record: Record) -> bool:
    """A `GiveUp` of who waits: the till."""
    return False


def always(_record: Record) -> bool:
    """A `GiveUp` of who wants an end: a cancellation."""
    return True


class Coordinator:
    """Drives checkouts; holds no state of its own between calls."""

    def __init__(self, participants: Participants, journal: Journal, reach: Reach) -> None:
        self._participants = participants
        self._journal = journal
        self._reach = reach
        self._perform: dict[Step, Callable[[_Course], Awaitable[None]]] = {
            Step.RESERVE: self._reserve,
            Step.AUTHORIZE: self._authorize,
            Step.OPEN: self._open,
            Step.POST: self._post,
            Step.CANCEL_POST: self._cancel_post,
            Step.REVERSE: self._reverse,
            Step.RELEASE: self._release,
            Step.COMMIT: self._commit,
            Step.CANCEL: self._cancel,
            Step.REDEEM: self._redeem,
            Step.FINISH: self._finish,
        }

    async def open(self, opening: Opening) -> Recorded:
        """Write the first record, before anybody else is told anything."""
        await self._reach("gateway.checkout.before_record")
        recorded = await self._journal.record(opening)
        await self._reach("gateway.checkout.after_record")
        return recorded

    async def take_commit(self, record: Record, commit: CommitPlan) -> Record:
        """Let a commit meet cancel and deadline at the row; returns the record as it stands then.

        Its `commit` says whether this one was taken. Nobody else was told anything yet.
        """
        await self._reach("gateway.checkout.before_commit")
        record = await self._journal.take_commit(record, commit)
        await self._reach("gateway.checkout.after_commit")
        return record

    async def decide(self, record: Record, *, give_up: GiveUp = never) -> Record:
        """Bring an open checkout to its decision and return it decided, or WAITING for it.

        Raises a passing Refusal when that can't be done now; whoever comes next goes on.
        """
        return await self._drive(record, give_up=give_up, until_decided=True)

    async def conclude(self, record: Record, *, give_up: GiveUp = never) -> Record:
        """Bring it to its end on every participant; raises a passing Refusal as `decide` does."""
        return await self._drive(record, give_up=give_up, until_decided=False)

    async def _drive(self, record: Record, *, give_up: GiveUp, until_decided: bool) -> Record:
        course = _Course(record, _progress_of(record))
        while True:
            step = next_step(course.progress, give_up=give_up(course.record))
            decided = course.record.state is not State.OPEN
            if step is Step.REST or (decided and until_decided):
                return course.record
            await self._reach(_BEFORE[step])
            await self._perform[step](course)
            await self._reach(_AFTER[step])

    async def _reserve(self, course: _Course) -> None:
        try:
            await self._participants.reserve(course.record.opening.plan.reserve)
        except Refusal as refusal:
            _refused(course, refusal)
        else:
            course.progress = replace(course.progress, reservation=Reservation.HELD)

    async def _authorize(self, course: _Course) -> None:
        request = course.record.opening.plan.authorize
        try:
            course.authorized = await self._participants.authorize(request)
        except Refusal as refusal:
            _refused(course, refusal)
        else:
            course.progress = replace(course.progress, hold=Hold.HELD)

    async def _open(self, course: _Course) -> None:
        _learn(course, await self._journal.note_held(course.record, course.authorized))

    async def _post(self, course: _Course) -> None:
        try:
            posted = await self._participants.post(course.record.opening.plan.post)
        except Refusal as refusal:
            _refused(course, refusal)
        else:
            _has_posted(course, posted)

    async def _cancel_post(self, course: _Course) -> None:
        """Fence it in the ledger, which gives back what was held; or learn what was posted."""
        plan = course.record.opening.plan
        posted = await self._participants.cancel_post(plan.cancel_post)
        if course.record.state is State.CANCELLED:
            # Only tenders that turned out not to fit are posted, reversed and then cancelled.
            assert posted is None or plan.reverse, "what is cancelled was never posted for good"
            course.progress = replace(course.progress, hold=Hold.FENCED)
        elif posted is not None:
            _has_posted(course, posted)
        else:
            course.progress = replace(course.progress, posting=Posting.NEVER, hold=Hold.FENCED)

    async def _reverse(self, course: _Course) -> None:
        assert course.posted is not None
        await self._undo(course.record.opening.plan.reverse)
        course.refusal = errors.tenders_differ(course.posted.to_pay_minor)
        course.progress = replace(course.progress, posting=Posting.NEVER)

    async def _undo(self, request: bytes) -> None:
        """Undo a post that no till was told of, whatever became of the points it earned."""
        try:
            try:
                await self._participants.reverse_post(request)
            except Refusal as refusal:
                if refusal.reason != "EARNED_POINTS_SPENT":
                    raise
                await self._participants.undo_post(request)
        except Refusal as refusal:
            if refusal.reason != "ALREADY_REVERSED":  # else an operator has done it by hand
                raise

    async def _release(self, course: _Course) -> None:
        """Before the decision it may wait: the till's answer does not hang on it."""
        request = course.record.opening.plan.cancel_reservation
        try:
            await self._participants.cancel_reservation(request)
        except Refusal as refusal:
            if not refusal.passing or course.record.state is not State.OPEN:
                raise
            course.progress = replace(course.progress, reservation=Reservation.AWAY)
        else:
            course.progress = replace(course.progress, reservation=Reservation.RELEASED)

    async def _commit(self, course: _Course) -> None:
        assert course.posted is not None
        finished = told_everyone(course.progress, State.COMMITTED)
        record = await self._journal.commit(course.record, course.posted, finished=finished)
        _learn(course, record)

    async def _cancel(self, course: _Course) -> None:
        refusal = course.refusal or errors.checkout_cancelled()
        finished = told_everyone(course.progress, State.CANCELLED)
        record = await self._journal.cancel(course.record, refusal, finished=finished)
        _learn(course, record)

    async def _redeem(self, course: _Course) -> None:
        await self._participants.redeem(course.record.opening.plan.redeem)
        course.progress = replace(course.progress, reservation=Reservation.REDEEMED)

    async def _finish(self, course: _Course) -> None:
        await self._journal.finish(course.record.checkout_id)
        course.record = replace(course.record, finished=True)
        course.progress = replace(course.progress, finished=True)


def _progress_of(record: Record) -> Progress:
    plan = record.opening.plan
    # A commit may have reached the ledger even where no value is held: then it is fenced too.
    held = bool(plan.authorize) or record.phase is Phase.COMMITTING
    return Progress(
        state=record.state,
        reservation=Reservation.UNKNOWN if plan.reserve else Reservation.NONE_WANTED,
        finished=record.finished,
        phase=record.phase,
        hold=Hold.UNKNOWN if held else Hold.NONE_WANTED,
    )


def _has_posted(course: _Course, posted: Posted) -> None:
    """The commit point was passed, unless the till's tenders turn out not to fit."""
    course.posted = posted
    tendered = course.record.opening.tendered_minor
    fits = tendered is None or tendered == posted.to_pay_minor
    posting = Posting.DONE if fits else Posting.MISPRICED
    course.progress = replace(course.progress, posting=posting)


def _refused(course: _Course, refusal: Refusal) -> None:
    """A reservation or a post was refused: go back, or find out first; passing ones go on up.

    A commit that was taken is carried out however long a participant does not let the gateway in.
    """
    if course.record.phase is Phase.COMMITTING:
        refusal = errors.not_the_tills(refusal)
    if refusal.passing:
        raise refusal
    if refusal.reason in DOUBTFUL_REASONS:
        course.refusal = refusal if refusal.reason == "INVALID_FIELD" else None
        course.progress = replace(course.progress, posting=Posting.DOUBTFUL)
        return
    # A fence comes from a driver that went back: what it says is that it never happens.
    if refusal.reason in FENCES:
        refusal = errors.checkout_cancelled()
    elif refusal.reason == "TO_PAY_DIFFERS":
        refusal = errors.tenders_differ(int(refusal.metadata["to_pay_minor"]))
    course.refusal = refusal
    course.progress = replace(course.progress, posting=Posting.NEVER)


def _learn(course: _Course, record: Record) -> None:
    """Go on from what the row says, which another driver may have moved on first.

    What this driver knows of the participants stays true; only a phase it had not seen begins with
    what may happen in it still unknown.
    """
    assert record.phase is not Phase.ONE_CALL or record.state is not State.OPEN
    moved = record.phase is not course.record.phase
    fresh = _progress_of(record)
    course.record = record
    course.progress = replace(
        course.progress,
        state=record.state,
        finished=record.finished,
        phase=record.phase,
        posting=fresh.posting if moved else course.progress.posting,
        hold=fresh.hold if moved else course.progress.hold,
    )
