"""A hold as somebody asks for it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from huitouke.points.v1 import hold_pb2 as pb

from services.points.converters.values import to_stamp
from services.points.domain.pins import Hold, HoldState

_STATES: Final = {each: pb.HoldState.Value(f"HOLD_STATE_{each}") for each in HoldState}


def to_hold(hold: Hold, now: datetime) -> pb.Hold:
    """The hold as it stands at `now`, whether or not its timeout was noted yet."""
    resolved_at = hold.timeout_at if hold.timed_out(now) else hold.resolved_at
    return pb.Hold(
        hold_id=str(hold.hold_id),
        member_id=str(hold.member_id),
        state=_STATES[hold.state_at(now)],
        currency=hold.currency,
        points=hold.held.points,
        cash_minor=hold.held.cash_minor,
        bonus_minor=hold.held.bonus_minor,
        checkout_id=str(hold.checkout_id or ""),
        authorized_at=to_stamp(hold.authorized_at) if hold.authorized_at else None,
        timeout_at=to_stamp(hold.timeout_at) if hold.timeout_at else None,
        resolved_at=to_stamp(resolved_at) if resolved_at else None,
        points_captured=hold.captured.points,
        cash_captured_minor=hold.captured.cash_minor,
        bonus_captured_minor=hold.captured.bonus_minor,
        merchant_id=str(hold.merchant_id or ""),
    )
