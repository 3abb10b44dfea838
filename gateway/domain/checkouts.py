"""A checkout and a refund as the gateway records them, from the first instant to the last."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from chassis.kernel import Refusal


class State(IntEnum):
    """A checkout's decision; stored and sent as these numbers."""

    OPEN = 1
    COMMITTED = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """Every participant's request as the exact bytes that will be sent; never rebuilt.

    The coupon requests are empty where no coupon is used. `reverse` is empty unless the till named
    its tenders and redeems points: only then can what is left to pay turn out other than told.
    """

    post: bytes
    cancel_post: bytes
    reserve: bytes = b""
    redeem: bytes = b""
    cancel_reservation: bytes = b""
    reverse: bytes = b""


@dataclass(frozen=True, slots=True)
class Till:
    """Where it happens; ids and the property's code as every event names them."""

    merchant_id: UUID
    outlet_id: UUID
    terminal_id: UUID
    property_code: str

    def __hash__(self) -> int:
        """A terminal is in one place: its id alone tells tills apart."""
        return hash(self.terminal_id)


@dataclass(frozen=True, slots=True)
class Opening:
    """The first record of a checkout: all that anyone needs to bring it to its end.

    `fingerprint` holds keyed MACs of the till's request, field by field; empty for a checkout that
    was cancelled before it was ever seen. `draft` is the receipt as far as it is known, encoded.
    `tendered_minor` is what the till's tenders add up to; None when it named none.
    """

    checkout_id: UUID
    request_id: str
    till: Till
    fingerprint: bytes
    member_id: UUID | None
    opened_at: datetime
    deadline_at: datetime
    plan: Plan
    draft: bytes = b""
    gross_minor: int = 0
    coupons_minor: int = 0
    coupon_count: int = 0
    tendered_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A checkout as it stands. `receipt` is set when COMMITTED, `refusal` when CANCELLED.

    `finished`: nothing is left to be told to any participant.
    """

    opening: Opening
    state: State = State.OPEN
    decided_at: datetime | None = None
    receipt: bytes = field(default=b"", repr=False)
    refusal: Refusal | None = None
    finished: bool = False

    @property
    def checkout_id(self) -> UUID:
        return self.opening.checkout_id


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording came to: the record of this call, or an earlier one's under the same id."""

    record: Record
    fresh: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """What the ledger did, for reconciliation; minor units, points."""

    points_redeemed: int
    stored_value_minor: int
    points_earned: int


class RefundState(IntEnum):
    """A refund's life; stored as these numbers."""

    OPEN = 1
    DONE = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class RefundOpening:
    """The first record of a refund, with the exact bytes for each participant.

    `roll_back` is empty where the checkout used no coupon; it is sent with the last amount.
    `ordinal` is the refund's number among those of its checkout that happened: it holds for the
    amounts only where as many as before it have. `draft` is the refund as far as it is known,
    encoded. `refusal` is set when it is refused before anyone is asked.
    """

    refund_id: UUID
    request_id: str
    till: Till
    fingerprint: bytes
    checkout_id: UUID
    member_id: UUID | None
    opened_at: datetime
    reverse: bytes = b""
    roll_back: bytes = b""
    ordinal: int = 1
    draft: bytes = b""
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class RefundFigures:
    """What a refund came to, in minor units; `whole`: nothing of its checkout is left."""

    amount_minor: int = 0
    money_minor: int = 0
    whole: bool = False


NO_FIGURES = RefundFigures()


@dataclass(frozen=True, slots=True)
class RefundRecord:
    """A refund as it stands; `answer` is the encoded refund when DONE, with its `figures`."""

    opening: RefundOpening
    state: RefundState = RefundState.OPEN
    answer: bytes = field(default=b"", repr=False)
    refusal: Refusal | None = None
    figures: RefundFigures = NO_FIGURES

    @property
    def refund_id(self) -> UUID:
        return self.opening.refund_id


@dataclass(frozen=True, slots=True)
class RefundRecorded:
    """What recording a refund came to."""

    record: RefundRecord
    fresh: bool
