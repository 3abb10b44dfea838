"""Recorded checkouts of one member, and what programmes would have given for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.points.domain.dry_runs import RecordedCheckout, Tally, try_member
from services.points.domain.limits import WHOLE_LIFE, Counter
from services.points.domain.rules import Caps, EarningRule
from tests.unit.points.rulebooks import rule
from tests.unit.points.worlds import programme, purchase

MEMBER = UUID(int=7)
TODAY = date(2026, 3, 10)
BASE = rule("BASE", 1000, "BASE")
CAPPED = rule("CAPPED", 40, caps=Caps(per_member=100))
GIFT = rule("GIFT", 5)


def recorded(number: int, bill: int = 1_000, **more: Any) -> RecordedCheckout:
    """The member's checkout of that number, in the range, of version `number`; earned nothing."""
    facts = {name: more.pop(name) for name in ("occurred_at", "tier") if name in more}
    bought = purchase(MEMBER, bill, **facts) if bill else purchase(MEMBER, 0, **facts)
    checkout = RecordedCheckout(
        UUID(int=number), number, bought.occurred_at, (), True, False, bought, False, 0, {}
    )
    if "member_id" in more:
        bought.member_id = more.pop("member_id")
    return replace(checkout, **more)


def tried(
    rules: Sequence[EarningRule],
    *checkouts: RecordedCheckout,
    given_by_now: dict[Counter, int] | None = None,
) -> Tally:
    tally = Tally()
    try_member(programme(*rules), checkouts, given_by_now or {}, tally)
    return tally


def points_tried(tally: Tally, code: str) -> int:
    return tally.rules[code].points_tried if code in tally.rules else 0


def life(code: str, points: int) -> dict[Counter, int]:
    return {Counter(MEMBER, code, WHOLE_LIFE): points}
