"""The programme in both directions."""

from __future__ import annotations

from huitouke.points.v1 import programme_pb2 as pb

from services.points.converters.values import (
    CATEGORIES,
    CHANNELS,
    CLAWBACKS,
    FUNDERS,
    SPEND_ORDERS,
    STACKING_CLASSES,
    TO_CATEGORY,
    TO_CHANNEL,
    TO_CLAWBACK,
    TO_FUNDER,
    TO_SPEND_ORDER,
    TO_STACKING_CLASS,
    to_instant,
    to_stamp,
)
from services.points.domain import errors
from services.points.domain.programme import (
    Condition,
    EarningRule,
    Programme,
    Redemption,
    StackingClass,
    StoredValueTerms,
    TopUpTier,
)

EFFECT_FIELDS = {
    StackingClass.BASE: "points_per_unit_milli",
    StackingClass.BEST_OF: "multiplier_milli",
    StackingClass.ADD: "fixed_points",
}


def to_programme(message: pb.Programme) -> Programme:
    """The programme of a validated message; refuses an effect that isn't its rule's class's."""
    terms = message.stored_value
    return Programme(
        message.version,
        to_instant(message.valid_from, "programme.valid_from"),
        tuple(_to_rule(at, rule) for at, rule in enumerate(message.earning_rules)),
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
    )


def _to_rule(at: int, rule: pb.EarningRule) -> EarningRule:
    stacking_class = STACKING_CLASSES[rule.stacking_class]
    effect = EFFECT_FIELDS[stacking_class]
    if rule.WhichOneof("effect") != effect:
        raise errors.invalid_field(
            f"programme.earning_rules[{at}].{effect}", f"must be set for class {stacking_class}"
        )
    return EarningRule(
        rule.code,
        stacking_class,
        getattr(rule, effect),
        FUNDERS[rule.funder],
        _to_condition(rule.condition),
    )


def _to_condition(condition: pb.Condition) -> Condition:
    return Condition(
        frozenset(CATEGORIES[each] for each in condition.categories),
        frozenset(condition.tiers),
        frozenset(condition.tags),
        frozenset(condition.weekdays),
        frozenset(CHANNELS[each] for each in condition.channels),
        condition.minimum_spend_minor,
        condition.birth_month_only,
    )


def from_programme(programme: Programme) -> pb.Programme:
    terms = programme.stored_value
    return pb.Programme(
        version=programme.version,
        valid_from=to_stamp(programme.valid_from),
        earning_rules=[_from_rule(rule) for rule in programme.earning_rules],
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
    )


def _from_rule(rule: EarningRule) -> pb.EarningRule:
    message = pb.EarningRule(
        code=rule.code,
        stacking_class=TO_STACKING_CLASS[rule.stacking_class],
        condition=_from_condition(rule.condition),
        funder=TO_FUNDER[rule.funder],
    )
    setattr(message, EFFECT_FIELDS[rule.stacking_class], rule.effect)
    return message


def _from_condition(condition: Condition) -> pb.Condition:
    return pb.Condition(
        categories=sorted(TO_CATEGORY[each] for each in condition.categories),
        tiers=sorted(condition.tiers),
        tags=sorted(condition.tags),
        weekdays=sorted(condition.weekdays),
        channels=sorted(TO_CHANNEL[each] for each in condition.channels),
        minimum_spend_minor=condition.minimum_spend_minor,
        birth_month_only=condition.birth_month_only,
    )
