"""What all checkouts of the gateway add up to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """Checkouts by state, and what the committed ones did; minor units, points.

    `refunded` counts checkouts of which nothing is left, `refunds` all refunds; `coupons_redeemed`
    leaves out those of the former. `open` are those that wait for their commit, and the last three
    what they hold; they are not `unfinished`.
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
    open: int = 0
    points_held: int = 0
    stored_value_held_minor: int = 0
    coupons_held: int = 0
