"""Conditions in CEL that histories use, said again in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from huitouke.points.v1.purchase_pb2 import Purchase
from huitouke.type.v1.merchant_category_pb2 import MERCHANT_CATEGORY_DINING as DINING

Test = Callable[[Purchase, datetime, bool], bool]
LUCKY: Final = "bill_minor % 3 == 0 && !first_purchase"
FAILING_AT_NOON: Final = "bill_minor / (hour - 12) > 100"

FRIENDS_AT_TABLE: Final = 'amounts.DINING > 15000 && "friend" in tags'


def _bill(purchase: Purchase) -> int:
    return sum(line.amount_minor for line in purchase.lines)


EXPRESSIONS: Final[Mapping[str, Test]] = {
    LUCKY: lambda purchase, _local, first: _bill(purchase) % 3 == 0 and not first,
    FRIENDS_AT_TABLE: lambda purchase, _local, _first: (
        sum(each.amount_minor for each in purchase.lines if each.category == DINING) > 15_000
        and "friend" in purchase.member.tags
    ),
    FAILING_AT_NOON: lambda purchase, local, _first: _bill(purchase) / (local.hour - 12) >= 101,
}
