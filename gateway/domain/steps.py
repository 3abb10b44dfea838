"""The state machine of a checkout, as a pure function: what is known → what is done next.

Only two things decide: whether the ledger has posted (its commit point), and what the row says.
Everything else is carried out, again and again, until every participant knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from gateway.domain.checkouts import State


class Step(Enum):
    """One thing to do; each may be repeated, by anyone, at any time, with the same outcome."""

    RESERVE = auto()
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
    """What is known of the ledger's posting."""

    UNKNOWN = auto()
    DOUBTFUL = auto()  # refused in a way that does not exclude that it was, or will be, posted
    DONE = auto()
    MISPRICED = auto()  # posted, but another amount is left to pay than the till's tenders
    NEVER = auto()


class Reservation(Enum):
    """What is known of the coupons."""

    NONE_WANTED = auto()
    UNKNOWN = auto()
    HELD = auto()
    REDEEMED = auto()
    RELEASED = auto()
    AWAY = auto()  # to be released, but the coupon service cannot be reached now


@dataclass(frozen=True, slots=True)
class Progress:
    """All that a driver knows; a driver that has just begun knows only the row."""

    state: State = State.OPEN
    posting: Posting = Posting.UNKNOWN
    reservation: Reservation = Reservation.NONE_WANTED
    finished: bool = False


def next_step(progress: Progress, *, give_up: bool) -> Step:
    """Return what to do now. `give_up`: nobody waits for the purchase any more, settle it."""
    if progress.finished:
        return Step.REST
    if progress.state is State.OPEN:
        return _towards_decision(progress, give_up=give_up)
    return _carry_out(progress)


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


def _carry_out(progress: Progress) -> Step:
    if progress.state is State.COMMITTED:
        told = progress.reservation in {Reservation.NONE_WANTED, Reservation.REDEEMED}
        return Step.FINISH if told else Step.REDEEM
    told = progress.reservation in {Reservation.NONE_WANTED, Reservation.RELEASED}
    return Step.FINISH if told else Step.RELEASE


def told_everyone(progress: Progress) -> bool:
    """Whether a decision taken now leaves nothing to carry out."""
    quiet = {Reservation.NONE_WANTED, Reservation.RELEASED, Reservation.REDEEMED}
    return progress.reservation in quiet
