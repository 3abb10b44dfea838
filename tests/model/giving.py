"""What rules have given: at once or later, within caps and budgets, and back where it is undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from huitouke.points.v1 import programme_pb2 as pb
from huitouke.points.v1.purchase_pb2 import Purchase

from tests.model.arithmetic import months_end
from tests.model.guests import Facts, Gift, Guest
from tests.model.paying import points_end

if TYPE_CHECKING:
    from tests.model.ledger import Ledger

WHOLE_LIFE = "LIFE"
NO_BOUND = 2**62


@dataclass
class Budget:
    points: int
    given: int = 0


def room(ledger: Ledger, member_id: str, day: str, rule: pb.EarningRule) -> int:
    """The least of what its caps and its budget leave."""
    caps, rooms = rule.caps, [NO_BOUND]
    if caps.per_checkout:
        rooms.append(caps.per_checkout)
    if caps.per_member_day:
        rooms.append(caps.per_member_day - ledger.given.get((member_id, rule.code, day), 0))
    if caps.per_member:
        rooms.append(caps.per_member - ledger.given.get((member_id, rule.code, WHOLE_LIFE), 0))
    if rule.budget_points:
        budget = ledger.budgets[rule.code]
        rooms.append(min(rule.budget_points, budget.points) - budget.given)
    return max(0, min(rooms))


def count(ledger: Ledger, member_id: str, day: str, rule: pb.EarningRule, points: int) -> None:
    """Note what a rule gave, or takes back: never less than nothing."""
    periods = [day] if rule.caps.per_member_day else []
    periods += [WHOLE_LIFE] if rule.caps.per_member else []
    for period in periods:
        key = member_id, rule.code, period
        ledger.given[key] = max(0, ledger.given.get(key, 0) + points)
    if rule.budget_points:
        budget = ledger.budgets[rule.code]
        budget.given = max(0, budget.given + points)


def gifts_of(
    programme: pb.Programme,
    purchase: Purchase,
    by_rule: list[Facts],
    checkout_id: str,
    now: datetime,
) -> list[Gift]:
    """Each rule's points, with the instant until which they wait; those that don't wait first."""
    zone, rules = purchase.place.time_zone, {rule.code: rule for rule in programme.earning_rules}
    bought = min(purchase.occurred_at.ToDatetime(tzinfo=UTC), now)
    ends = points_end(bought, now, programme, zone)
    gifts = []
    for facts in by_rule:
        rule = rules[facts["rule_code"]]
        until = bought + timedelta(days=rule.pending.days)
        if rule.pending.until_stay_ends and purchase.stay.HasField("ends_at"):
            until = max(until, purchase.stay.ends_at.ToDatetime(tzinfo=UTC))
        gift = Gift(facts, facts["points"], checkout_id, purchase.place.merchant_id, bought, ends)
        gift.programme_version = programme.version
        facts["pending_until"] = until if until > now else None
        if until > now:
            gift.waits_until = until
            idle = programme.points_expire_after_idle_months
            gift.ends = max(ends, months_end(until, idle or 1, zone)) if ends else None
        gifts.append(gift)
    return sorted(gifts, key=lambda gift: gift.waits_until is not None)


def give(
    ledger: Ledger, guest: Guest, gifts: list[Gift], rules: dict[str, pb.EarningRule], day: str
) -> int:
    """What does not wait goes into one lot; returns how much of it went to an open debt."""
    for gift in gifts:
        count(ledger, guest.member_id, day, rules[gift.facts["rule_code"]], gift.points)
        ledger.funded[gift.facts["funder"]] += 0 if gift.waits_until else gift.points
    guest.gifts += [gift for gift in gifts if gift.waits_until]
    at_once = [gift for gift in gifts if not gift.waits_until]
    if not at_once:
        return 0
    points = sum(gift.points for gift in at_once)
    lot, collected = guest.earn(points, at_once[0].earned, at_once[0].ends)
    for gift in at_once:
        gift.lot = lot
    return collected
