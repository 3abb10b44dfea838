"""A checkout and a refund as the gateway records them, from the first instant to the last."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from uuid import UUID

from chassis.kernel import Refusal


class State(IntEnum):
    """A checkout's decision; stored and sent as these numbers."""

    OPEN = 1
    COMMITTED = 2
    CANCELLED = 3


class Phase(IntEnum):
    """How far a checkout has come whose purchase is opened first and committed later.

    Stored as these numbers. It only grows while the checkout is OPEN, and stays as it was when the
    checkout was decided.
    """

    ONE_CALL = 0  # neither: reserved, posted and decided in one go
    OPENING = 1  # coupons and value are being set aside
    WAITING = 2  # all is set aside; commit, cancel or the deadline decides
    COMMITTING = 3  # the commit was first: its bytes are recorded, and are posted whatever happens


@dataclass(frozen=True, slots=True)
class Plan:
    """Every participant's request as the exact bytes that will be sent; never rebuilt.

    The coupon requests are empty where no coupon is used. `reverse` is empty unless the till named
    its tenders and redeems points: only then can what is left to pay turn out other than told.
    `authorize` is empty where no value is held. Of a checkout that is opened first, `post` and
    `reverse` are empty until its commit is recorded.
    """

    post: bytes
    cancel_post: bytes
    reserve: bytes = b""
    redeem: bytes = b""
    cancel_reservation: bytes = b""
    reverse: bytes = b""
    authorize: bytes = b""


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

    `commit_by` is set when the purchase is opened first: until then, exclusive, it may be
    committed. `facts` then says what the ledger will be told of member and till, encoded.
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
    commit_by: datetime | None = None
    facts: bytes = b""


@dataclass(frozen=True, slots=True)
class CommitKey:
    """Which CommitCheckout call was taken: its request id, and keyed MACs of what it said."""

    request_id: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class CommitPlan:
    """What a commit adds to the first record, from when on it is as whole as of one call."""

    key: CommitKey
    post: bytes
    reverse: bytes
    draft: bytes
    gross_minor: int
    tendered_minor: int | None

    def complete(self, opening: Opening) -> Opening:
        """Return the first record with this commit in it."""
        return replace(
            opening,
            plan=replace(opening.plan, post=self.post, reverse=self.reverse),
            draft=self.draft,
            gross_minor=self.gross_minor,
            tendered_minor=self.tendered_minor,
        )


@dataclass(frozen=True, slots=True)
class Held:
    """What an open checkout holds, as the ledger said; `answer` is the encoded message."""

    answer: bytes
    points: int = 0
    stored_value_minor: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A checkout as it stands. `receipt` is set when COMMITTED, `refusal` when CANCELLED.

    `finished`: nothing is left to be told to any participant. `held` is set from WAITING on, and
    `commit` from COMMITTING on.
    """

    opening: Opening
    state: State = State.OPEN
    decided_at: datetime | None = None
    receipt: bytes = field(default=b"", repr=False)
    refusal: Refusal | None = None
    finished: bool = False
    phase: Phase = Phase.ONE_CALL
    held: Held | None = None
    commit: CommitKey | None = None

    @property
    def checkout_id(self) -> UUID:
        return self.opening.checkout_id

    def overdue(self, now: datetime) -> bool:
        """Whether nobody waits any more for what comes next, so that recovery goes back.

        Never once a commit is taken: it is carried out.
        """
        match self.phase:
            case Phase.COMMITTING:
                return False
            case Phase.WAITING:
                return expired(self.opening, now)
            case Phase.OPENING | Phase.ONE_CALL:
                return now >= self.opening.deadline_at


def expired(opening: Opening, now: datetime) -> bool:
    """Whether an open checkout's time to be committed is over; at `commit_by` itself it is."""
    return opening.commit_by is not None and now >= opening.commit_by


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
