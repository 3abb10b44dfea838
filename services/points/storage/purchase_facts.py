"""Purchase facts: what earning needed of a purchase, kept with the posted checkout, compactly.

A JSON list in UTF-8, its first element the layout's number. With it a draft of the programme is run
over history: the lines as they were, since rounding depends on them, and what the caller and the
ledger said of member, season and stay. No personal data: a tier, tags, a month of birth.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from services.points.domain.assets import Category, Channel
from services.points.domain.inquiry import RuleFault
from services.points.domain.purchases import Facts, Line, Season, Stay
from services.points.domain.records import KeptFacts

LAYOUT: Final = 1
_CATEGORIES: Final = tuple(Category)
_NUMBERS: Final = {category: number for number, category in enumerate(_CATEGORIES)}
"""Categories by their place in the type, to which new ones are only ever added at the end."""


class RecordedFacts(NamedTuple):
    """What was kept of a purchase besides the checkout's own columns."""

    lines: tuple[Line, ...]
    not_earning_minor: int
    redeem_points: int
    pay_stored_value_minor: int
    zone: str
    season: Season
    first_purchase: bool
    facts: Facts
    stay: Stay | None
    faults: tuple[RuleFault, ...]


def encode(kept: KeptFacts, faults: Sequence[RuleFault]) -> bytes:
    """The facts of a checkout that is being posted, and the rules that failed on it."""
    purchase = kept.purchase
    lines = ",".join([f"{_NUMBERS[line.category]},{line.amount_minor}" for line in purchase.lines])
    more = ""
    if purchase.stay is not None or faults:
        more = "," + json.dumps([_stay_list(purchase.stay), faults], ensure_ascii=False)
    text = (
        f"[{LAYOUT},[{lines}],{kept.not_earning_minor},{purchase.redeem_points},"
        f"{purchase.pay_stored_value_minor},{kept.first_purchase:d},"
        f"{_circumstances(purchase.place.zone.key, purchase.season, purchase.facts)}{more}]"
    )
    return text.encode()


def decode(stored: bytes) -> RecordedFacts:
    """What `encode` has written, of this release or an earlier one."""
    found: list[Any] = json.loads(stored)
    assert found[0] == LAYOUT, "facts of a layout that this release doesn't know"
    _, flat, not_earning, redeemed, paid, first, zone, season, facts, *more = found
    stay, faults = more[0] if more else (None, ())
    tier, tags, birth_month, before = facts
    return RecordedFacts(
        tuple(
            Line(_CATEGORIES[number], amount)
            for number, amount in zip(flat[::2], flat[1::2], strict=True)
        ),
        not_earning,
        redeemed,
        paid,
        zone,
        Season(season),
        bool(first),
        Facts(tier, frozenset(tags), birth_month, before),
        _stay(stay),
        tuple(RuleFault(*fault) for fault in faults),
    )


@lru_cache(maxsize=16384)
def _circumstances(zone: str, season: Season, facts: Facts) -> str:
    """The part that comes again and again: zone, season, and the member's facts."""
    member = [facts.tier, sorted(facts.tags), facts.birth_month, facts.purchased_before]
    return json.dumps([zone, season, member], ensure_ascii=False, separators=(",", ":"))[1:-1]


def _stay_list(stay: Stay | None) -> list[object] | None:
    if stay is None:
        return None
    ends_at = stay.ends_at.isoformat() if stay.ends_at else None
    known = [stay.channel, stay.rate_code, stay.nights, ends_at]
    return [*known, True] if stay.absent else known


def _stay(found: list[Any] | None) -> Stay | None:
    if found is None:
        return None
    channel, rate_code, nights, ends_at, *absent = found
    instant = datetime.fromisoformat(ends_at) if ends_at else None
    return Stay(Channel(channel), rate_code, nights, instant, bool(absent))
