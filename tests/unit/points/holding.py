"""Members with something to hold, and the commands of holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from services.points.domain.commands import (
    AuthorizeHold,
    CaptureHold,
    PostCheckout,
    TopUpStoredValue,
)
from tests.unit.points.worlds import PLACE, World, purchase

QUARTER = timedelta(minutes=15)
TWO_YEARS = timedelta(days=760)
"""After it, points and gifts of the start have expired."""


def authorize(
    world: World,
    points: int = 0,
    stored: int = 0,
    hold_id: UUID | None = None,
    checkout_id: UUID | None = None,
    currency: str = "CNY",
) -> AuthorizeHold:
    timeout = None if checkout_id else QUARTER
    hold_id = hold_id or uuid4()
    return AuthorizeHold(
        world.member_id, hold_id, PLACE, currency, points, stored, timeout, checkout_id
    )


def capture(
    world: World, hold_id: UUID, points: int = 0, stored: int = 0, currency: str = "CNY"
) -> CaptureHold:
    return CaptureHold(world.member_id, hold_id, PLACE, currency, points, stored)


def hold(world: World, points: int = 0, stored: int = 0, checkout_id: UUID | None = None) -> UUID:
    answer = world.do(authorize(world, points, stored, checkout_id=checkout_id))
    hold_id: UUID = answer.hold_id
    return hold_id


def post(world: World, bill: int, hold_id: UUID | None = None, **more: Any) -> PostCheckout:
    checkout_id = more.pop("checkout_id", None) or uuid4()
    bought = purchase(world.member_id, bill, occurred_at=world.now, **more)
    return PostCheckout(checkout_id, bought, hold_id)


def top_up(world: World, amount: int) -> None:
    world.do(TopUpStoredValue(world.member_id, uuid4(), PLACE, amount, "CNY"))


def rich(points: int = 1_000, stored: int = 100_000) -> World:
    """A member with as many points, and with stored value and its gift."""
    world = World()
    world.buy(points * 100)
    if stored:
        top_up(world, stored)
    world.events.clear()
    return world


def free(world: World) -> tuple[int, ...]:
    return tuple(account.available(world.now) for account in world.member.accounts())
