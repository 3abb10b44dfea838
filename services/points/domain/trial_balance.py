"""Trial balance: how every account moved in a period, and whether both sides agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.points.domain.assets import Asset, House


@dataclass(slots=True)
class Movement:
    """One account in a period; balances are positive where it is in credit."""

    opening: int = 0
    debits: int = 0
    credits: int = 0
    closing: int = 0

    @property
    def agrees(self) -> bool:
        """Whether the movements lead from the opening to the closing."""
        return self.opening + self.credits - self.debits == self.closing


class HouseAccount(NamedTuple):
    """A house account; the merchant is that of FUNDING and SETTLEMENT, else None."""

    house: House
    merchant_id: UUID | None


@dataclass(slots=True)
class AssetBalance:
    """One asset's accounts in a period: the members' together, and the house's."""

    asset: Asset
    members: Movement = field(default_factory=Movement)
    accounts: dict[HouseAccount, Movement] = field(default_factory=dict)

    def add_postings(self, account: HouseAccount, before: int, given: int, taken: int) -> None:
        """Add postings against one house account.

        `before` is their sum before the period; in it they have `given` to members and `taken`
        from them, both positive.

        A member's balance is what the house owes, so what is given is credited to the members and
        debited to the house.
        """
        self.members.credits += given
        self.members.debits += taken
        house = self.accounts.setdefault(account, Movement())
        house.opening -= before
        house.debits += given
        house.credits += taken
        house.closing = house.opening + house.credits - house.debits

    @property
    def balanced(self) -> bool:
        sides = [self.members, *self.accounts.values()]
        return (
            self.members.agrees
            and not sum(side.opening for side in sides)
            and not sum(side.closing for side in sides)
            and not sum(side.debits - side.credits for side in sides)
        )


@dataclass(slots=True)
class TrialBalance:
    """Every asset's accounts from `since` (None: the beginning) to `before`, which is excluded."""

    since: datetime | None
    before: datetime
    assets: dict[Asset, AssetBalance] = field(
        default_factory=lambda: {asset: AssetBalance(asset) for asset in Asset}
    )

    @property
    def balanced(self) -> bool:
        return all(each.balanced for each in self.assets.values())
