"""A checkout's steps: reserve, redeem, cancel, roll back; each has one outcome for ever.

The same step asked again under another request id answers that outcome and changes nothing.
"""

from datetime import datetime
from uuid import UUID

from chassis.kernel import Decision
from services.coupon.domain import errors
from services.coupon.domain.answers import Cancelled, Redeemed, Reserved, RolledBack
from services.coupon.domain.book import Book
from services.coupon.domain.checkouts import (
    Checkout,
    CheckoutState,
    Redemption,
    RollBackEntry,
    tombstone,
)
from services.coupon.domain.commands import (
    CancelReservation,
    CheckoutCommand,
    Redeem,
    Reserve,
    RollBack,
)
from services.coupon.domain.coupons import Step
from services.coupon.domain.discounts import Discount
from services.coupon.domain.events import (
    CouponReservationCancelled,
    CouponsRedeemed,
    CouponsReserved,
    CouponsRolledBack,
)
from services.coupon.domain.stacking import Candidate, combine


def reserve(
    book: Book, command: Reserve, now: datetime, *, coupons_max: int
) -> Decision[Reserved, CouponsReserved]:
    """Set the coupons aside, all or none; raises the first reason against any of them."""
    known = book.checkouts.get(command.checkout_id)
    if known is not None:
        fenced = known.state is CheckoutState.CANCELLED
        raise errors.checkout_cancelled() if fenced else errors.checkout_exists()
    if len({each.coupon_id for each in command.expected}) < len(command.expected):
        raise errors.invalid_field("discounts", "must name each coupon once")
    discounts = _agreed_discounts(book, command, now, coupons_max)
    for discount in discounts:
        coupon = book.coupons[command.member_id, discount.coupon_id]
        book.move(coupon, Step.RESERVE, command.checkout_id)
    checkout = Checkout(
        checkout_id=command.checkout_id,
        member_id=command.member_id,
        state=CheckoutState.RESERVED,
        discounts=discounts,
        currency=command.basket.currency,
        place=command.basket.place,
        reserved_at=now,
    )
    book.put_checkout(checkout)
    version = book.members[command.member_id].next_version(now)
    event = CouponsReserved(
        command.member_id, version, command.checkout_id, checkout.coupon_ids, now
    )
    return Decision(Reserved(discounts), (event,))


def redeem(book: Book, command: Redeem, now: datetime) -> Decision[Redeemed, CouponsRedeemed]:
    """Use what the checkout reserved, even where a coupon has ended since."""
    checkout = _known_checkout(book, command)
    if checkout.redeemed_at is not None:
        return Decision(Redeemed(checkout.redeemed_at, checkout.coupon_ids))
    if checkout.state is CheckoutState.CANCELLED:
        raise errors.checkout_cancelled()
    assert checkout.place is not None, "only a tombstone has no place"
    for coupon in book.coupons_of(checkout):
        book.move(coupon, Step.REDEEM, checkout.checkout_id)
    book.put_checkout(checkout.redeemed(now))
    book.redemptions += [_redemption(checkout, each, now) for each in checkout.discounts]
    event = CouponsRedeemed(
        member_id=checkout.member_id,
        version=book.members[checkout.member_id].next_version(now),
        checkout_id=checkout.checkout_id,
        discounts=checkout.discounts,
        currency=checkout.currency,
        place=checkout.place,
        redeemed_at=now,
    )
    return Decision(Redeemed(now, checkout.coupon_ids), (event,))


def cancel_reservation(
    book: Book, command: CancelReservation, now: datetime
) -> Decision[Cancelled, CouponReservationCancelled]:
    """Give back what was reserved; a checkout never seen is fenced all the same."""
    if command.checkout_id not in book.checkouts:
        book.put_checkout(tombstone(command.checkout_id, command.member_id, now))
        return Decision(Cancelled(now, ()))
    checkout = _known_checkout(book, command)
    if checkout.cancelled_at is not None:
        return Decision(Cancelled(checkout.cancelled_at, checkout.coupon_ids))
    if checkout.state is not CheckoutState.RESERVED:
        raise errors.checkout_redeemed()
    for coupon in book.coupons_of(checkout):
        given_back = book.move(coupon, Step.CANCEL)
        if given_back.due(now):
            book.move(given_back, Step.EXPIRE)
    book.put_checkout(checkout.cancelled(now))
    version = book.members[checkout.member_id].next_version(now)
    event = CouponReservationCancelled(
        checkout.member_id, version, checkout.checkout_id, checkout.coupon_ids, now
    )
    return Decision(Cancelled(now, checkout.coupon_ids), (event,))


def roll_back(
    book: Book, command: RollBack, now: datetime
) -> Decision[RolledBack, CouponsRolledBack]:
    """Restore the coupons, whole because a coupon is indivisible; those that ended are void."""
    checkout = _known_checkout(book, command)
    if checkout.rolled_back_at is not None:
        return Decision(_as_rolled_back(checkout, checkout.rolled_back_at))
    if checkout.state is CheckoutState.CANCELLED:
        raise errors.checkout_cancelled()
    if checkout.state is CheckoutState.RESERVED:
        raise errors.checkout_not_redeemed()
    undone = _restore_coupons(book, checkout, command, now)
    book.put_checkout(undone)
    event = CouponsRolledBack(
        member_id=checkout.member_id,
        version=book.members[checkout.member_id].next_version(now),
        checkout_id=checkout.checkout_id,
        refund_id=command.refund_id,
        restored_coupon_ids=undone.restored_coupon_ids,
        expired_coupon_ids=undone.expired_coupon_ids,
        rolled_back_at=now,
    )
    return Decision(_as_rolled_back(undone, now), (event,))


def _agreed_discounts(
    book: Book, command: Reserve, now: datetime, coupons_max: int
) -> tuple[Discount, ...]:
    """What the coupons take off together; raises where any doesn't apply or takes another amount.

    The caller's split over lines is compared too, where one is given: points are earned by it.
    """
    candidates = [_candidate(book, command, each.coupon_id) for each in command.expected]
    combination = combine(candidates, command.basket, now, coupons_max=coupons_max)
    for disqualified in combination.disqualified:
        refusal = disqualified.why
        refusal.metadata["coupon_id"] = str(disqualified.coupon_id)
        raise refusal
    for found, expected in zip(combination.discounts, command.expected, strict=True):
        split = expected.line_amounts_minor or found.line_amounts_minor
        if (found.amount_minor, found.line_amounts_minor) != (expected.amount_minor, split):
            raise errors.amount_changed(found.coupon_id, expected.amount_minor, found.amount_minor)
    return tuple(combination.discounts)


def _candidate(book: Book, command: Reserve, coupon_id: UUID) -> Candidate:
    coupon = book.coupons.get((command.member_id, coupon_id))
    if coupon is None:
        return Candidate(coupon_id, None)
    return Candidate(coupon_id, (coupon, book.stocks[coupon.campaign_id].campaign))


def _known_checkout(book: Book, command: CheckoutCommand) -> Checkout:
    """The member's checkout; another member's is as good as none."""
    checkout = book.checkouts.get(command.checkout_id)
    if checkout is None or checkout.member_id != command.member_id:
        raise errors.checkout_not_found()
    return checkout


def _redemption(checkout: Checkout, discount: Discount, now: datetime) -> Redemption:
    assert checkout.place is not None
    return Redemption(
        member_id=checkout.member_id,
        coupon_id=discount.coupon_id,
        checkout_id=checkout.checkout_id,
        campaign_id=discount.campaign_id,
        amount_minor=discount.amount_minor,
        currency=checkout.currency,
        funder=discount.funder.value,
        merchant_id=checkout.place.merchant_id,
        redeemed_at=now,
    )


def _restore_coupons(book: Book, checkout: Checkout, command: RollBack, now: datetime) -> Checkout:
    expired = []
    for coupon in book.coupons_of(checkout):
        restored = book.move(coupon, Step.ROLL_BACK)
        if restored.due(now):
            book.move(restored, Step.EXPIRE)
            expired.append(coupon.coupon_id)
        book.roll_backs.append(
            RollBackEntry(
                member_id=checkout.member_id,
                coupon_id=coupon.coupon_id,
                checkout_id=checkout.checkout_id,
                refund_id=command.refund_id,
                restored=not restored.due(now),
                rolled_back_at=now,
            )
        )
    return checkout.rolled_back(now, tuple(expired))


def _as_rolled_back(checkout: Checkout, at: datetime) -> RolledBack:
    return RolledBack(at, checkout.restored_coupon_ids, checkout.expired_coupon_ids)
