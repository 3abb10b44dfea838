"""The state machine of a checkout, as a pure function: what is known → what is done next.

Only two things decide: whether the ledger has posted (its commit point), and what the row says.
Everything else is carried out, again and again, until every participant knows. A checkout that is
opened first is decided by its row alone, before the ledger: commit, cancel and deadline meet there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from gateway.domain.checkouts import Phase, State


class Step(Enum):
    """One thing to do; each may be repeated, by anyone, at any time, with the same outcome."""

    RESERVE = auto()
    AUTHORIZE = auto()
    OPEN = auto()
    POST = auto()
    CANCEL_POST = auto()
    REVERSE = auto()
    RELEASE = auto()
    COMMIT = auto()
    CANCEL = auto()
    REDEEM = auto()
    FINISH = auto()
    REST = auto()


class Posting(Enum):
    """What is known of the ledger's posting; before a commit DOUBTFUL and NEVER: opening failed."""

    UNKNOWN = auto()
    DOUBTFUL = auto()  # refused in a way that does not exclude that it was, or will be, posted
    DONE = auto()
    MISPRICED = auto()  # posted, by or for an earlier release, though the till's tenders don't fit
    NEVER = auto()


class Reservation(Enum):
    """What is known of the coupons."""

    NONE_WANTED = auto()
    UNKNOWN = auto()
    HELD = auto()
    REDEEMED = auto()
    RELEASED = auto()
    AWAY = auto()  # to be released, but the coupon service cannot be reached now


class Hold(Enum):
    """What is known of the value set aside in the ledger, of a checkout that is opened first."""

    NONE_WANTED = auto()
    UNKNOWN = auto()
    HELD = auto()
    FENCED = auto()  # released, and the checkout is never authorised nor posted


@dataclass(frozen=True, slots=True)
class Progress:
    """All that a driver knows; a driver that has just begun knows only the row."""

    state: State = State.OPEN
    posting: Posting = Posting.UNKNOWN
    reservation: Reservation = Reservation.NONE_WANTED
    finished: bool = False
    phase: Phase = Phase.ONE_CALL
    hold: Hold = Hold.NONE_WANTED


def next_step(progress: Progress, *, give_up: bool) -> Step:
    """Return what to do now. `give_up`: nobody waits for the purchase any more, settle it.

    REST of an open checkout: it waits for its commit.
    """
    if progress.finished:
        return Step.REST
    if progress.state is not State.OPEN:
        return _carry_out(progress)
    match progress.phase:
        case Phase.ONE_CALL:
            return _towards_decision(progress, give_up=give_up)
        case Phase.OPENING:
            return _towards_opening(progress, give_up=give_up)
        case Phase.WAITING:
            return Step.CANCEL if give_up else Step.REST
        case Phase.COMMITTING:
            return _towards_commit(progress)


def _towards_decision(progress: Progress, *, give_up: bool) -> Step:
    match progress.posting:
        case Posting.DONE:
            return Step.COMMIT
        case Posting.MISPRICED:
            return Step.REVERSE
        case Posting.NEVER:
            unreleased = progress.reservation in {Reservation.UNKNOWN, Reservation.HELD}
            return Step.RELEASE if unreleased else Step.CANCEL
        case Posting.DOUBTFUL:
            return Step.CANCEL_POST
        case Posting.UNKNOWN:
            if give_up:
                return Step.CANCEL_POST
            unreserved = progress.reservation is Reservation.UNKNOWN
            return Step.RESERVE if unreserved else Step.POST


def _towards_opening(progress: Progress, *, give_up: bool) -> Step:
    """Set everything aside. What fails is decided first and given back afterwards."""
    if give_up or progress.posting is not Posting.UNKNOWN:
        return Step.CANCEL
    if progress.reservation is Reservation.UNKNOWN:
        return Step.RESERVE
    return Step.AUTHORIZE if progress.hold is Hold.UNKNOWN else Step.OPEN


def _towards_commit(progress: Progress) -> Step:
    """Post what was recorded, for as long as it takes; only the ledger's own no ends it."""
    match progress.posting:
        case Posting.UNKNOWN:
            return Step.POST
        case Posting.DOUBTFUL:
            return Step.CANCEL_POST
        case Posting.DONE:
            return Step.COMMIT
        case Posting.MISPRICED:
            return Step.REVERSE
        case Posting.NEVER:
            return Step.CANCEL


def _carry_out(progress: Progress) -> Step:
    if progress.state is State.COMMITTED:
        told = progress.reservation in {Reservation.NONE_WANTED, Reservation.REDEEMED}
        return Step.FINISH if told else Step.REDEEM
    if progress.hold in {Hold.UNKNOWN, Hold.HELD}:
        return Step.CANCEL_POST
    told = progress.reservation in {Reservation.NONE_WANTED, Reservation.RELEASED}
    return Step.FINISH if told else Step.RELEASE


def told_everyone(progress: Progress, decision: State) -> bool:
    """Whether `decision`, taken now, leaves nothing to carry out."""
    if decision is State.CANCELLED and progress.hold in {Hold.UNKNOWN, Hold.HELD}:
        return False
    quiet = {Reservation.NONE_WANTED, Reservation.RELEASED, Reservation.REDEEMED}
    return progress.reservation in quiet
