"""What all checkouts of the gateway add up to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Checkouts by state, and what the committed ones did; minor units, points.

    `refunded` counts checkouts of which nothing is left, `refunds` all refunds; `coupons_redeemed`
    leaves out those of the former.
    """

    unfinished: int
    committed: int
    cancelled: int
    refunded: int
    gross_minor: int
    coupons_minor: int
    points_redeemed: int
    stored_value_minor: int
    points_earned: int
    coupons_redeemed: int
    refunds: int
    refunded_minor: int
