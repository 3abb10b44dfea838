"""Which fact asks for which messages (DOMAIN §5, "Triggered by events")."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notify.domain.messages import Channel, Purpose


@dataclass(frozen=True, slots=True)
class Plan:
    """One message that a fact asks for."""

    template_code: str
    channel: Channel
    purpose: Purpose = Purpose.SERVICE


@dataclass(frozen=True, slots=True)
class Fact:
    """What a message may be about: a kind, and values that are nobody's personal data."""

    kind: str
    variables: Mapping[str, int | str]


PLANS: Mapping[str, tuple[Plan, ...]] = {
    "ENROLLED": (Plan("WELCOME", Channel.SMS), Plan("WELCOME", Channel.EMAIL)),
    "TOPPED_UP": (Plan("TOP_UP", Channel.SMS),),
    "PAID": (Plan("CHECKOUT", Channel.SMS),),
    "REVERSED": (Plan("REFUND_WHOLE", Channel.SMS),),
    "REVERSED_IN_PART": (Plan("REFUND_PART", Channel.SMS),),
    "POINTS_EXPIRING": (Plan("POINTS_EXPIRING", Channel.SMS),),
    "COUPON_ISSUED": (Plan("COUPON_ISSUED", Channel.SMS),),
    "WITHDRAWN": (Plan("WITHDRAWAL", Channel.SMS),),
    "TOP_UP_REFUNDED": (Plan("TOP_UP_REFUND", Channel.SMS),),
    "TRANSFERRED": (Plan("POINTS_GIVEN", Channel.SMS),),
}


def plans_for(fact: Fact) -> tuple[Plan, ...]:
    """The messages a fact asks for; none for a kind without a plan.

    A purchase that used stored value or points is always told, because a guest must learn of a use
    that was not theirs; one that only earned is not, its receipt says so already. For the same
    reason who gave points away is told, and who got some is not.
    """
    used = ("points_redeemed", "cash_paid_minor", "bonus_paid_minor")
    if fact.kind == "PAID" and not any(fact.variables.get(name) for name in used):
        return ()
    if fact.kind == "TRANSFERRED" and not fact.variables.get("points_given"):
        return ()
    return PLANS.get(fact.kind, ())
