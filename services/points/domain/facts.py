"""Facts: what a rule's condition in CEL may ask of a purchase, by name and type.

| variable | type | what it is |
|---|---|---|
| bill_minor | int | the bill after coupons, fen |
| amounts | map(string, int) | fen by category ("DINING"), every category present |
| tier, tags | string, list(string) | the member's, as the caller froze them |
| birth_month | int | 1 to 12, 0 when not known |
| first_purchase | bool | whether the member never bought before |
| month, day, weekday, hour | int | of the purchase, by the property's calendar; Monday is 1 |
| season | string | "PEAK", "SHOULDER", "OFF", or "" when not known |
| channel, rate_code, nights | string, string, int | of the stay; "", "", 0 without one |
| member_absent | bool | whether the member paid for a stay of somebody else |
| property, merchant, outlet | string | the property's code and the ids, as the till gives them |
| redeem_points, pay_stored_value_minor | int | what is tendered besides money |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from chassis.kernel import Fault
from services.points.domain.assets import Category
from services.points.domain.purchases import Purchase, Season

VARIABLES: Final[Mapping[str, str]] = {
    "bill_minor": "int",
    "amounts": "map(string, int)",
    "tier": "string",
    "tags": "list(string)",
    "birth_month": "int",
    "first_purchase": "bool",
    "month": "int",
    "day": "int",
    "weekday": "int",
    "hour": "int",
    "season": "string",
    "channel": "string",
    "rate_code": "string",
    "nights": "int",
    "member_absent": "bool",
    "property": "string",
    "merchant": "string",
    "outlet": "string",
    "redeem_points": "int",
    "pay_stored_value_minor": "int",
}
"""Names and CEL types; names are never taken away, since published rules use them."""

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition as it was written, and what it was compiled into; equal by its text."""

    source: str
    test: Callable[[Facts], bool | Fault] = field(compare=False, repr=False)


def facts_of(purchase: Purchase, local: datetime, *, first_purchase: bool) -> Facts:
    """What may be asked of `purchase`; `local` is its time by the property's calendar."""
    stay, place = purchase.stay, purchase.place
    amounts = dict.fromkeys((each.value for each in Category), 0)
    for line in purchase.lines:
        amounts[line.category.value] += line.amount_minor
    return {
        "bill_minor": purchase.bill_minor,
        "amounts": amounts,
        "tier": purchase.facts.tier,
        "tags": sorted(purchase.facts.tags),
        "birth_month": purchase.facts.birth_month,
        "first_purchase": first_purchase,
        "month": local.month,
        "day": local.day,
        "weekday": local.isoweekday(),
        "hour": local.hour,
        "season": "" if purchase.season is Season.UNSPECIFIED else purchase.season.value,
        "channel": stay.channel.value if stay else "",
        "rate_code": stay.rate_code if stay else "",
        "nights": stay.nights if stay else 0,
        "member_absent": stay.absent if stay else False,
        "property": place.property_code,
        "merchant": str(place.merchant_id),
        "outlet": str(place.outlet_id),
        "redeem_points": purchase.redeem_points,
        "pay_stored_value_minor": purchase.pay_stored_value_minor,
    }
