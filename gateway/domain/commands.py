"""Commands on checkouts and refunds; each is made idempotent by the rows it touches."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.kernel import Refusal
from gateway.domain.checkouts import (
    CommitPlan,
    Figures,
    Held,
    Opening,
    Record,
    RefundFigures,
    RefundOpening,
    RefundRecord,
)


@dataclass(frozen=True, slots=True)
class RecordCheckout:
    """Write a first record, unless its merchant and request id have one.

    With `refusal` it is refused before any participant was asked: recorded CANCELLED at once.
    """

    opening: Opening
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class NoteHeld:
    """Note that an open checkout holds all it asked for, if it is still OPENING."""

    record: Record
    held: Held


@dataclass(frozen=True, slots=True)
class TakeCommit:
    """Take a commit, if the checkout is WAITING and in time; past its end it expires instead."""

    record: Record
    commit: CommitPlan


@dataclass(frozen=True, slots=True)
class CommitCheckout:
    """Decide COMMITTED, if it is still open."""

    record: Record
    receipt: bytes
    figures: Figures
    finished: bool


@dataclass(frozen=True, slots=True)
class CancelCheckout:
    """Decide CANCELLED, if it is still open and in the phase that `record` says."""

    record: Record
    refusal: Refusal
    finished: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """Note that every participant knows the decision on this checkout."""

    record_id: UUID


@dataclass(frozen=True, slots=True)
class RecordRefund:
    """Write a refund's first record, if the checkout may be refunded."""

    opening: RefundOpening


@dataclass(frozen=True, slots=True)
class CompleteRefund:
    """Note a refund as done; `answer` is the encoded refund."""

    record: RefundRecord
    answer: bytes
    figures: RefundFigures


@dataclass(frozen=True, slots=True)
class RefuseRefund:
    """Note that the ledger refused a refund."""

    record: RefundRecord
    refusal: Refusal


Decides = NoteHeld | TakeCommit | CommitCheckout | CancelCheckout
"""What is decided under the checkout row's lock by comparing phases: one of several wins."""
SettlesRefund = CompleteRefund | RefuseRefund
Command = RecordCheckout | Decides | Finish | RecordRefund | SettlesRefund
