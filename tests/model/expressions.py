"""Conditions in CEL that histories use, said again in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from huitouke.points.v1.purchase_pb2 import Purchase

Test = Callable[[Purchase, datetime, bool], bool]
LUCKY: Final = "bill_minor % 3 == 0 && !first_purchase"
FAILING_AT_NOON: Final = "bill_minor / (hour - 12) > 100"


def _bill(purchase: Purchase) -> int:
    return sum(line.amount_minor for line in purchase.lines)


EXPRESSIONS: Final[Mapping[str, Test]] = {
    LUCKY: lambda purchase, _local, first: _bill(purchase) % 3 == 0 and not first,
    FAILING_AT_NOON: lambda purchase, local, _first: _bill(purchase) / (local.hour - 12) >= 101,
}
