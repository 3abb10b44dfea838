"""Deciding a command: the one door into the rules for everything that changes."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from chassis.kernel import Decision
from services.coupon.domain.answers import Answer
from services.coupon.domain.book import Book
from services.coupon.domain.commands import (
    CancelReservation,
    ClaimCoupon,
    Command,
    CreateCampaign,
    Redeem,
    Reserve,
    RollBack,
)
from services.coupon.domain.coupons import Coupon, Step
from services.coupon.domain.events import Event
from services.coupon.domain.issuing import claim_coupon, create_campaign
from services.coupon.domain.using import cancel_reservation, redeem, reserve, roll_back

Decided = Decision[Answer, Event]


class Decider:
    """Decides commands under the house's rule of `coupons_per_checkout_max`."""

    def __init__(self, coupons_per_checkout_max: int) -> None:
        self._coupons_max = coupons_per_checkout_max

    def __call__(self, book: Book, command: Command, now: datetime) -> Decided:
        """Return the answer and events, the book changed; raises Refusal with nothing decided.

        Coupons the command names that have ended are moved to EXPIRED first, whether or not the
        command is refused: time did that, not the command.
        """
        expire_due(book, command, now)
        match command:
            case CreateCampaign():
                return create_campaign(book, command, now)
            case ClaimCoupon():
                return claim_coupon(book, command, now)
            case Reserve():
                return reserve(book, command, now, coupons_max=self._coupons_max)
            case Redeem():
                return redeem(book, command, now)
            case CancelReservation():
                return cancel_reservation(book, command, now)
            case RollBack():
                return roll_back(book, command, now)


def expire_due(book: Book, command: Command, now: datetime) -> None:
    """Move the coupons that `command` names and whose end has passed."""
    if isinstance(command, Reserve):
        named = [each.coupon_id for each in command.expected]
        for coupon in _held(book, command.member_id, named):
            if coupon.due(now):
                book.move(coupon, Step.EXPIRE)


def _held(book: Book, member_id: UUID, coupon_ids: list[UUID]) -> Iterator[Coupon]:
    for coupon_id in coupon_ids:
        if coupon := book.coupons.get((member_id, coupon_id)):
            yield coupon
