"""The whole: guests, ids that are taken for ever, programmes, and requests that are remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from huitouke.points.v1 import hold_pb2
from huitouke.points.v1 import movement_service_pb2 as movement
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.programme_pb2 import Programme

from tests.model.checkouts import cancel, post
from tests.model.giving import Budget
from tests.model.guests import Facts, Guest, Hold, Refused
from tests.model.holds import authorize, capture, release
from tests.model.imports import Row, bring_in
from tests.model.movements import (
    Adjustment,
    Family,
    Limits,
    Transfer,
    adjust,
    approve,
    put_group,
    reject,
    transfer,
)
from tests.model.paying import Checkout
from tests.model.payouts import refund_top_up, withdraw
from tests.model.reversals import reverse, undo
from tests.model.top_ups import TopUp, top_up
from tests.model.warnings import warn

OPERATIONS: Final[Mapping[type[Message], Callable[[Ledger, Any], Facts]]] = {
    pb.PostRequest: post,
    pb.CancelPostRequest: cancel,
    pb.ReverseRequest: reverse,
    pb.UndoPostRequest: undo,
    pb.TopUpRequest: top_up,
    hold_pb2.AuthorizeHoldRequest: authorize,
    hold_pb2.CaptureHoldRequest: capture,
    hold_pb2.ReleaseHoldRequest: release,
    movement.PutTransferGroupRequest: put_group,
    movement.TransferPointsRequest: transfer,
    movement.AdjustBalanceRequest: adjust,
    movement.ApproveAdjustmentRequest: approve,
    movement.RejectAdjustmentRequest: reject,
    movement.WithdrawStoredValueRequest: withdraw,
    movement.RefundTopUpRequest: refund_top_up,
}


class Outcome(NamedTuple):
    """An answer's facts, or a refusal; `replayed` if it was given before."""

    given: Facts | Refused
    replayed: bool = False


@dataclass
class Ledger:
    """Every command is done at `now`, which the test moves."""

    now: datetime
    programmes: list[Programme]
    limits: Limits
    guests: dict[str, Guest] = field(default_factory=dict)
    checkouts: dict[str, Checkout] = field(default_factory=dict)
    top_ups: dict[str, TopUp] = field(default_factory=dict)
    reversals: set[str] = field(default_factory=set)
    holds: dict[str, Hold] = field(default_factory=dict)
    families: dict[str, Family] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)
    adjustments: dict[str, Adjustment] = field(default_factory=dict)
    withdrawals: set[str] = field(default_factory=set)
    refunds: set[str] = field(default_factory=set)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    funded: Counter[int] = field(default_factory=Counter)
    given: dict[tuple[str, str, str], int] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    hold_timeout: timedelta = timedelta(minutes=15)
    requests: dict[tuple[str, str], tuple[Message, Facts | Refused]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The last version's number is a budget's."""
        for programme in self.programmes:
            for rule in programme.earning_rules:
                if rule.budget_points:
                    self.budgets[rule.code] = Budget(rule.budget_points)

    def guest(self, member_id: str) -> Guest:
        return self.guests.setdefault(member_id, Guest(member_id))

    def programme_at(self, instant: datetime) -> Programme:
        """The last of those that were valid then."""
        for programme in reversed(self.programmes):
            if programme.valid_from.ToDatetime(tzinfo=UTC) <= instant:
                return programme
        raise Refused("PROGRAMME_NOT_FOUND")

    def warn(self, member_id: str) -> None:
        """What another job does, by the calendar of Shanghai."""
        warn(self, member_id, "Asia/Shanghai")

    def bring_in(self, row: Row) -> Outcome:
        """What an import does with one of its rows; the row itself is its memory."""
        return Outcome(self._undone_if_refused(lambda: bring_in(self, row)))

    def settle(self, member_id: str) -> None:
        """What the job does for guests whom nobody serves."""
        self.guest(member_id).settle(self.now)

    def answer(self, caller: str, request: Any) -> Outcome:
        """Do what is asked, once; the same request again gets the same outcome again."""
        key = caller, request.request_id
        if key in self.requests:
            first, given = self.requests[key]
            differing = _first_difference(first, request)
            if differing:
                return Outcome(Refused("REQUEST_ID_REUSED", field=differing))
            return Outcome(given, replayed=True)
        given = self._done(request)
        self.requests[key] = request, given
        return Outcome(given)

    def _done(self, request: Message) -> Facts | Refused:
        return self._undone_if_refused(lambda: OPERATIONS[type(request)](self, request))

    def _undone_if_refused(self, operation: Callable[[], Facts]) -> Facts | Refused:
        """Who is refused changes nothing: not even what time has done is noted."""
        stood = {each: guest.remember() for each, guest in self.guests.items()}
        try:
            return operation()
        except Refused as refused:
            for each, before in stood.items():
                self.guests[each].forget(before)
            return refused


def _first_difference(first: Message, second: Message) -> str:
    """The field of lowest number that differs, "" if none does."""
    if type(first) is not type(second):
        return "request_id"
    one, other = _fields(first), _fields(second)
    differing = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    numbers = {name: first.DESCRIPTOR.fields_by_name[name].number for name in differing}
    return min(differing, key=numbers.__getitem__, default="")


def _fields(message: Any) -> Facts:
    """The fields that are set, by name."""
    return {each.name: value for each, value in message.ListFields()}
