"""The programme in both directions."""

from __future__ import annotations

from huitouke.points.v1 import programme_pb2 as pb

from services.points.converters.rules import from_rule, to_rule
from services.points.converters.values import (
    CATEGORIES,
    CLAWBACKS,
    SPEND_ORDERS,
    TO_CATEGORY,
    TO_CLAWBACK,
    TO_SPEND_ORDER,
    to_day,
    to_instant,
    to_stamp,
)
from services.points.domain.programme import (
    Programme,
    Redemption,
    StoredValueTerms,
    TopUpTier,
)


def to_programme(message: pb.Programme) -> Programme:
    """The programme of a validated message; refuses what rules and their conditions can't be."""
    terms = message.stored_value
    return Programme(
        message.version,
        to_instant(message.valid_from, "programme.valid_from"),
        tuple(to_rule(at, rule) for at, rule in enumerate(message.earning_rules)),
        Redemption(
            message.redemption.points_per_unit,
            message.redemption.minimum_points,
            tuple(
                (CATEGORIES[share.category], share.share_basis_points)
                for share in message.redemption.maximum_shares
            ),
        ),
        StoredValueTerms(
            tuple(TopUpTier(tier.from_minor, tier.bonus_minor) for tier in terms.top_up_tiers),
            terms.top_up_limit_minor,
            terms.balance_limit_minor,
            SPEND_ORDERS[terms.spend_order],
            terms.bonus_expires_after_months,
        ),
        message.points_expire_after_months,
        clawback=CLAWBACKS[message.clawback],
        points_expire_on=to_day(message.points_expire_on, "programme.points_expire_on"),
        points_expire_after_idle_months=message.points_expire_after_idle_months,
    )


def from_programme(programme: Programme) -> pb.Programme:
    terms, day = programme.stored_value, programme.points_expire_on
    return pb.Programme(
        version=programme.version,
        valid_from=to_stamp(programme.valid_from),
        earning_rules=[from_rule(rule) for rule in programme.earning_rules],
        redemption=pb.Redemption(
            points_per_unit=programme.redemption.points_per_unit,
            minimum_points=programme.redemption.minimum_points,
            maximum_shares=[
                pb.CategoryShare(category=TO_CATEGORY[category], share_basis_points=share)
                for category, share in programme.redemption.maximum_shares
            ],
        ),
        stored_value=pb.StoredValueTerms(
            top_up_tiers=[
                pb.TopUpTier(from_minor=tier.from_minor, bonus_minor=tier.bonus_minor)
                for tier in terms.top_up_tiers
            ],
            top_up_limit_minor=terms.top_up_limit_minor,
            balance_limit_minor=terms.balance_limit_minor,
            spend_order=TO_SPEND_ORDER[terms.spend_order],
            bonus_expires_after_months=terms.bonus_expires_after_months,
        ),
        points_expire_after_months=programme.points_expire_after_months,
        clawback=TO_CLAWBACK[programme.clawback],
        points_expire_on=day.isoformat() if day else "",
        points_expire_after_idle_months=programme.points_expire_after_idle_months,
    )
