"""The one way into the ledger: `decide`, and the same for those who only ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from chassis.kernel import Decision
from services.points.domain.accounts import Balances
from services.points.domain.adjustments import adjust, approve, reject
from services.points.domain.answers import Answer
from services.points.domain.books import Books
from services.points.domain.captures import capture
from services.points.domain.checkouts import cancel, post
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    Command,
    ImportBalance,
    PostCheckout,
    ReleaseHold,
    ReverseCheckout,
    SettleDue,
    TopUpStoredValue,
    WarnExpiring,
)
from services.points.domain.dues import settle, settle_due
from services.points.domain.events import Event
from services.points.domain.holds import authorize, release
from services.points.domain.imports import import_balance
from services.points.domain.movement_commands import (
    AdjustBalance,
    ApproveAdjustment,
    PutTransferGroup,
    RefundTopUp,
    RejectAdjustment,
    TransferPoints,
    WithdrawStoredValue,
)
from services.points.domain.reversals import reverse
from services.points.domain.top_up_refunds import refund_top_up
from services.points.domain.top_ups import top_up
from services.points.domain.transfers import put_group, transfer
from services.points.domain.warnings import warn
from services.points.domain.withdrawals import withdraw


def decide(books: Books, command: Command, now: datetime) -> Decision[Answer, Event]:
    """Decide one command on the loaded `books`.

    `now` is not before any of the members' last posting. What is due to expire is taken out
    and what has timed out is resolved first, as entries and events of their own. A raised Refusal
    has changed nothing.
    """
    answer, events = _DECIDING[type(command)](books, command, now)
    return Decision(answer, tuple(events))


def balances_at(books: Books, member_id: UUID, now: datetime) -> Balances:
    """The balances of a member as `now` finds them, what is due taken out; the books are spent.

    The version stays that of the member's last event, since reading posts nothing.
    """
    member = books.members[member_id]
    version = member.version
    settle_due(books, member, now)
    return member.balances()._replace(member_version=version)


_Outcome = tuple[Answer, Sequence[Event]]
_DECIDING: Final[Mapping[type[Command], Callable[[Books, Any, datetime], _Outcome]]] = {
    PostCheckout: post,
    CancelPost: cancel,
    ReverseCheckout: reverse,
    TopUpStoredValue: top_up,
    SettleDue: settle,
    AuthorizeHold: authorize,
    CaptureHold: capture,
    ReleaseHold: release,
    WarnExpiring: warn,
    PutTransferGroup: put_group,
    TransferPoints: transfer,
    AdjustBalance: adjust,
    ApproveAdjustment: approve,
    RejectAdjustment: reject,
    WithdrawStoredValue: withdraw,
    RefundTopUp: refund_top_up,
    ImportBalance: import_balance,
}
