"""Whom the coordinator speaks to: the participants of a checkout, and its own journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chassis.kernel import Refusal
from gateway.domain.checkouts import (
    CommitPlan,
    Opening,
    Record,
    Recorded,
    RefundOpening,
    RefundRecord,
    RefundRecorded,
)


@dataclass(frozen=True, slots=True)
class Posted:
    """The ledger's answer to a post; `answer` is passed on to the journal unread."""

    to_pay_minor: int
    answer: object


@dataclass(frozen=True, slots=True)
class Reversed:
    """The ledger's answer to a refund; `whole`: nothing of the checkout is left after it."""

    whole: bool
    answer: object


class Participants(Protocol):
    """The ledger and the coupon service. Requests are recorded bytes, sent as they are.

    Every call may be repeated with the same outcome. Raises Refusal: a passing one says nothing
    about what happened.
    """

    async def reserve(self, request: bytes) -> None:
        """Set the coupons aside."""
        ...

    async def authorize(self, request: bytes) -> object:
        """Set points and stored value aside. Returns the ledger's answer."""
        ...

    async def post(self, request: bytes) -> Posted:
        """Book the purchase: the commit point."""
        ...

    async def cancel_post(self, request: bytes) -> Posted | None:
        """Return what was posted; None once it never will be, and nothing is held for it."""
        ...

    async def reverse_post(self, request: bytes) -> None:
        """Undo a posting that the till's tenders do not fit."""
        ...

    async def undo_post(self, request: bytes) -> None:
        """Do the same where the ledger refuses: points that are spent already are owed then.

        `request` is the very one of `reverse_post`.
        """
        ...

    async def redeem(self, request: bytes) -> None:
        """Use what was set aside."""
        ...

    async def cancel_reservation(self, request: bytes) -> None:
        """Give back what was set aside, and fence a late reservation."""
        ...

    async def reverse(self, request: bytes) -> Reversed:
        """Undo a posting, or a part of it, for a refund: its commit point."""
        ...

    async def roll_back(self, request: bytes) -> object:
        """Restore the coupons. Returns the coupon service's answer."""
        ...


class Journal(Protocol):
    """The gateway's own record; each method is one durable transaction. Raises passing Refusals."""

    async def record(self, opening: Opening) -> Recorded:
        """Write the first record, unless one is there under the same merchant and request id."""
        ...

    async def note_held(self, record: Record, authorized: object | None) -> Record:
        """Let an OPENING checkout wait for its commit; return the record as it stands then.

        `authorized` is the ledger's answer, None where no value is held.
        """
        ...

    async def take_commit(self, record: Record, commit: CommitPlan) -> Record:
        """Take a commit where the checkout is WAITING; return the record as it stands then."""
        ...

    async def commit(self, record: Record, posted: Posted, *, finished: bool) -> Record:
        """Decide COMMITTED unless decided before; return the record as decided."""
        ...

    async def cancel(self, record: Record, refusal: Refusal, *, finished: bool) -> Record:
        """Decide CANCELLED unless it was decided, or its phase has moved on; return the record."""
        ...

    async def finish(self, record_id: UUID) -> None:
        """Note that every participant knows the decision."""
        ...


class RefundJournal(Protocol):
    """The record of refunds; each method is one durable transaction. Raises passing Refusals."""

    async def record_refund(self, opening: RefundOpening) -> RefundRecorded:
        """Decide under the checkout row's lock whether it may be refunded, and write it down."""
        ...

    async def complete_refund(
        self, record: RefundRecord, reversed_: Reversed, rolled_back: object | None
    ) -> RefundRecord:
        """Note the refund as done, with its answer, unless it was before."""
        ...

    async def refuse_refund(self, record: RefundRecord, refusal: Refusal) -> RefundRecord:
        """Note that the ledger refused it, unless decided before."""
        ...
