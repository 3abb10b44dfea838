"""A liability report as a message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from huitouke.points.v1 import purchase_pb2
from huitouke.points.v1 import report_service_pb2 as pb

from services.points.converters.values import TO_ASSET, TO_FUNDER, to_stamp
from services.points.domain.breakage import METHOD, Breakage, estimate
from services.points.domain.calendar import month_name, month_of
from services.points.domain.liability import (
    AssetLiability,
    Figures,
    Liability,
    Source,
    breakage_by_group,
)

Key = TypeVar("Key")


def to_liability(found: Liability) -> pb.GetLiabilityReportResponse:
    """The answer, with the breakage of each asset estimated from its own past."""
    return pb.GetLiabilityReportResponse(
        as_of=to_stamp(found.as_of),
        time_zone=found.zone.key,
        programme_version=found.programme.version,
        points_per_unit=found.programme.redemption.points_per_unit,
        assets=[_asset(found, each) for each in found.assets.values()],
    )


def _asset(found: Liability, owed: AssetLiability) -> pb.AssetLiability:
    breakage = estimate(owed.flows, month_of(found.as_of, found.zone))

    def worth(groups: Iterable[tuple[Key, Figures]]) -> list[tuple[Key, pb.LiabilityFigures]]:
        """Each group's figures, with values and breakage that add up to the total's."""
        listed = list(groups)
        figures = [each for _, each in listed]
        return [
            (key, _figures(found, *each))
            for (key, _), each in zip(
                listed,
                zip(
                    figures,
                    found.values_minor(owed.asset, figures),
                    found.shares_minor(owed.asset, [each.pending for each in figures]),
                    breakage_by_group(breakage, figures),
                    strict=True,
                ),
                strict=True,
            )
        ]

    ((_, total),) = worth([(owed.asset, owed.total)])
    total.held = owed.held
    return pb.AssetLiability(
        asset=TO_ASSET[owed.asset],
        total=total,
        due=owed.due,
        otherwise_gone=owed.otherwise_gone,
        debt=owed.debt,
        by_source=[_source(*each) for each in worth(sorted(owed.by_source.items(), key=_by_name))],
        by_rule=[
            pb.RuleLiability(rule_code=rule, figures=figures)
            for rule, figures in worth(sorted(owed.by_rule.items()))
        ],
        by_earned_month=[
            pb.MonthLiability(month=month_name(month), figures=figures)
            for month, figures in worth(sorted(owed.by_earned_month.items()))
        ],
        by_expiry_month=[
            pb.MonthLiability(month="" if month is None else month_name(month), figures=figures)
            for month, figures in worth(sorted(owed.by_expiry_month.items(), key=_never_last))
        ],
        breakage=_breakage(breakage, found.value_minor(owed.asset, breakage.amount)),
    )


def _by_name(group: tuple[Source, Figures]) -> str:
    return str(group[0])


def _never_last(group: tuple[int | None, Figures]) -> tuple[bool, int]:
    return group[0] is None, group[0] or 0


def _source(source: Source, figures: pb.LiabilityFigures) -> pb.SourceLiability:
    return pb.SourceLiability(
        account=source.house,
        funder=TO_FUNDER[source.funder] if source.funder else purchase_pb2.FUNDER_UNSPECIFIED,
        merchant_id=str(source.merchant_id or ""),
        figures=figures,
    )


def _figures(
    found: Liability, figures: Figures, value_minor: int, pending_value_minor: int, breakage: int
) -> pb.LiabilityFigures:
    return pb.LiabilityFigures(
        earned=figures.earned,
        redeemed=figures.redeemed,
        expired=figures.expired,
        outstanding=figures.outstanding,
        value_minor=value_minor,
        held=None if found.past else figures.held,
        pending=figures.pending,
        pending_value_minor=pending_value_minor,
        breakage=breakage,
    )


def _breakage(breakage: Breakage, value_minor: int) -> pb.Breakage:
    return pb.Breakage(
        status=pb.BreakageStatus.Value(f"BREAKAGE_STATUS_{breakage.status}"),
        amount=breakage.amount,
        value_minor=value_minor,
        not_estimated=breakage.not_estimated,
        method=METHOD,
        ages=[
            pb.BreakageAge(
                age_months=age,
                cohorts=len(basis.cohorts),
                at_risk=basis.at_risk,
                redeemed=basis.redeemed,
                known=age in breakage.known_ages,
            )
            for age, basis in breakage.ages.items()
        ],
        cohorts=breakage.cohorts,
        cohorts_required=breakage.cohorts_required,
        points_required=breakage.points_required,
    )
