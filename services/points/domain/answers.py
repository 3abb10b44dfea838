"""What the ledger answers; the events carry the same values."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.points.domain.accounts import Balances
from services.points.domain.assets import Funder
from services.points.domain.earning import EarnedBy
from services.points.domain.inquiry import RuleFault
from services.points.domain.movement_answers import MovementAnswer
from services.points.domain.pins import Amounts


class Posted(NamedTuple):
    """What a purchase did (or, quoted, would do); amounts in fen.

    `points_earned` counts before `debt_collected` of them went to an open debt, and counts those
    that `earned_by` says are pending. `rule_faults` names the rules that were left out because
    their condition failed.
    """

    points_redeemed: int
    points_value_minor: int
    cash_paid_minor: int
    bonus_paid_minor: int
    to_pay_minor: int
    points_earned: int
    debt_collected: int
    earned_by: tuple[EarnedBy, ...]
    programme_version: int
    balances: Balances
    rule_faults: tuple[RuleFault, ...] = ()

    @property
    def points_pending(self) -> int:
        """How many of the earned points can't be spent yet."""
        return sum(by.points for by in self.earned_by if by.pending_until is not None)


class PostAnswer(NamedTuple):
    """A posted checkout."""

    checkout_id: UUID
    posted_at: datetime
    posted: Posted


class CancelAnswer(NamedTuple):
    """What a checkout in doubt is from now on: `posted`, or cancelled at an instant."""

    posted: PostAnswer | None
    cancelled_at: datetime | None


class TakenBack(NamedTuple):
    """Points of one rule that a reversal took back, those now owed included."""

    rule: str
    points: int
    funder: Funder


class ReverseAnswer(NamedTuple):
    """A checkout reversed by whole or by part; restored amounts include what expired at once.

    `amount_minor` is the sum of the worth of the points, CASH, BONUS and `money_minor`, which goes
    back outside the suite. `whole`: nothing of the bill is left to be reversed.
    """

    reversal_id: UUID
    reversed_at: datetime
    points_restored: int
    cash_restored_minor: int
    bonus_restored_minor: int
    points_taken_back: int
    debt_recorded: int
    balances: Balances
    amount_minor: int
    points_value_minor: int
    money_minor: int
    left_minor: int
    whole: bool
    taken_back_by: tuple[TakenBack, ...]
    pending_cancelled: int = 0


class TopUpAnswer(NamedTuple):
    """A top-up."""

    top_up_id: UUID
    posted_at: datetime
    cash_added_minor: int
    bonus_added_minor: int
    balances: Balances


class SettleAnswer(NamedTuple):
    """What was due and has been taken out, or has matured."""

    points: int
    bonus_minor: int
    points_matured: int = 0


class AuthorizeAnswer(NamedTuple):
    """A hold that was authorised; `timeout_at` is None for a checkout's."""

    hold_id: UUID
    authorized_at: datetime
    timeout_at: datetime | None
    held: Amounts
    balances: Balances


class CaptureAnswer(NamedTuple):
    """A direct hold that was captured; of what was `released`, some may have expired at once."""

    hold_id: UUID
    captured_at: datetime
    captured: Amounts
    released: Amounts
    balances: Balances


class ReleaseAnswer(NamedTuple):
    """A hold that was given back, what expired at once included; nothing where it was fenced."""

    hold_id: UUID
    released_at: datetime
    released: Amounts
    balances: Balances


class WarnAnswer(NamedTuple):
    """How many warnings were given."""

    warnings: int


class ImportAnswer(NamedTuple):
    """A row of an import is in, by this command or `repeated` from an earlier one."""

    repeated: bool


class PublishAnswer(NamedTuple):
    """A published programme version."""

    version: int


class DraftAnswer(NamedTuple):
    """A draft that was made or changed."""

    draft_id: UUID
    revision: int


class RetireAnswer(NamedTuple):
    """A version that ends."""

    valid_until: datetime


ProgrammeAnswer = PublishAnswer | DraftAnswer | RetireAnswer
Answer = (
    PostAnswer
    | CancelAnswer
    | ReverseAnswer
    | TopUpAnswer
    | SettleAnswer
    | AuthorizeAnswer
    | CaptureAnswer
    | ReleaseAnswer
    | WarnAnswer
    | MovementAnswer
    | ImportAnswer
)
