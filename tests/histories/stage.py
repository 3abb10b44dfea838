"""Where a history plays: what steps look at, and numbers read as rows of choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.message import Message
from huitouke.points.v1.purchase_pb2 import MemberFacts
from huitouke.type.v1.merchant_category_pb2 import (
    MERCHANT_CATEGORY_DINING,
    MERCHANT_CATEGORY_LAUNDRY,
    MERCHANT_CATEGORY_SPA,
)
from huitouke.type.v1.place_pb2 import Place

from tests.model.imports import Row
from tests.model.ledger import Ledger

NUMBER_BYTES: Final = 4
NUMBERS: Final = 2 ** (8 * NUMBER_BYTES)
"""So many there are to draw; the factors of a step multiply to less."""

T = TypeVar("T")
PLACES: Final = [
    Place(
        merchant_id=f"0199aaaa-0000-7000-8000-00000000000{number}",
        outlet_id="0199aaaa-0000-7000-8000-0000000000a1",
        terminal_id="0199aaaa-0000-7000-8000-0000000000b1",
        property_code="SHA01",
        time_zone=zone,
    )
    for number, zone in enumerate(["Asia/Shanghai", "Europe/Paris"], 1)
]


class Dice:
    """A number as a row of choices, the first option of each where it is 0."""

    def __init__(self, number: int) -> None:
        self._left = number

    def of(self, options: Sequence[T]) -> T:
        self._left, at = divmod(self._left, len(options))
        return options[at]

    def below(self, bound: int) -> int:
        self._left, at = divmod(self._left, bound)
        return at


class Ask(NamedTuple):
    """A request of a caller."""

    request: Any
    caller: str = "gateway"


class Job(NamedTuple):
    """A job comes by a guest; `chore` is what the model calls it."""

    chore: str
    member_id: str


class Import(NamedTuple):
    """A row of another system's file comes in."""

    row: Row


class Wait(NamedTuple):
    """Time goes by."""

    until: datetime


Happening = Ask | Job | Import | Wait | None


@dataclass
class Stage:
    """What steps look at: the guests as the model knows them, and what was asked before."""

    model: Ledger
    member_ids: Sequence[str]
    space: int
    asked: list[Ask] = field(default_factory=list)
    checkouts: list[tuple[str, str]] = field(default_factory=list)
    holds: list[tuple[str, str, str]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    ids: int = 0

    def new_id(self) -> str:
        """An id that no other history of this database uses."""
        self.ids += 1
        return f"{self.space:08x}-0000-7000-8000-{self.ids:012x}"

    def request_id(self) -> str:
        return f"r-{self.new_id()}"

    def ask(self, request: Message, caller: str = "gateway") -> Ask:
        ask = Ask(request, caller)
        self.asked.append(ask)
        return ask

    def one_of_the_last(self, dice: Dice, items: Sequence[T]) -> T | None:
        """Mostly one of the last few."""
        back = dice.of([dice.of([1, 2, 3, 5]), 1 + dice.below(60)])
        return items[-back] if back <= len(items) else None


DINING, SPA = MERCHANT_CATEGORY_DINING, MERCHANT_CATEGORY_SPA
LAUNDRY = MERCHANT_CATEGORY_LAUNDRY
FACTS: Final = [
    MemberFacts(tier="CLASSIC"),
    MemberFacts(tier="GOLD", tags=["friend", "student"]),
    MemberFacts(tier="GOLD", birth_month=5),
]
