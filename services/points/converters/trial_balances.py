"""A trial balance as a message."""

from __future__ import annotations

from huitouke.points.v1 import report_service_pb2 as pb

from services.points.converters.values import TO_ASSET, to_stamp
from services.points.domain.assets import House
from services.points.domain.trial_balance import (
    AssetBalance,
    HouseAccount,
    Movement,
    TrialBalance,
)

MEMBERS = "MEMBERS"


def to_trial_balance(found: TrialBalance) -> pb.GetTrialBalanceResponse:
    return pb.GetTrialBalanceResponse(
        since=to_stamp(found.since) if found.since else None,
        before=to_stamp(found.before),
        assets=[_asset(each) for each in found.assets.values()],
        balanced=found.balanced,
    )


def _asset(balance: AssetBalance) -> pb.AssetTrialBalance:
    return pb.AssetTrialBalance(
        asset=TO_ASSET[balance.asset],
        members=_line(MEMBERS, "", balance.members),
        accounts=[
            _line(account.house, str(account.merchant_id or ""), movement)
            for account, movement in sorted(balance.accounts.items(), key=_place)
        ],
    )


def _place(each: tuple[HouseAccount, Movement]) -> tuple[int, str]:
    """House accounts in the order of their type, then merchants by id."""
    return list(House).index(each[0].house), str(each[0].merchant_id)


def _line(account: str, merchant_id: str, movement: Movement) -> pb.TrialBalanceLine:
    return pb.TrialBalanceLine(
        account=account,
        merchant_id=merchant_id,
        opening=movement.opening,
        debits=movement.debits,
        credits=movement.credits,
        closing=movement.closing,
    )
