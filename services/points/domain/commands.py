"""What the ledger can be told to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from services.points.domain.assets import Asset, Tender
from services.points.domain.movement_commands import (
    MovementCommand,
    PutTransferGroup,
    TransferPoints,
)
from services.points.domain.programme import Programme
from services.points.domain.purchases import Place, Purchase


@dataclass(frozen=True, slots=True)
class PostCheckout:
    """Book a purchase under a checkout id that was never used before.

    What it tenders comes out of the hold where one is named, else out of what is free. Where
    `expected_to_pay_minor` is given, another amount must not be left to pay in money (fen).
    """

    checkout_id: UUID
    purchase: Purchase
    hold_id: UUID | None = None
    expected_to_pay_minor: int | None = None

    @property
    def member_id(self) -> UUID:
        return self.purchase.member_id


@dataclass(frozen=True, slots=True)
class CancelPost:
    """Say what became of a checkout; if nothing did, fence it off for ever."""

    member_id: UUID
    checkout_id: UUID


@dataclass(frozen=True, slots=True)
class ReverseCheckout:
    """Undo a posted checkout: `amount_minor` of its bill in fen, or None for all that is left.

    `untold`: no till was told of it, so that what is missing is owed whatever the programme says.
    """

    member_id: UUID
    checkout_id: UUID
    reversal_id: UUID
    place: Place
    amount_minor: int | None = None
    untold: bool = False


@dataclass(frozen=True, slots=True)
class TopUpStoredValue:
    """Sell stored value: `amount_minor` fen as CASH and the tier's gift as BONUS."""

    member_id: UUID
    top_up_id: UUID
    place: Place
    amount_minor: int
    currency: str
    tender: Tender | None = None


@dataclass(frozen=True, slots=True)
class SettleDue:
    """Take out what is due; the job's command for members nobody serves."""

    member_id: UUID


@dataclass(frozen=True, slots=True)
class AuthorizeHold:
    """Set points and stored value (fen) aside; one of both is above 0.

    A direct hold has a `timeout`, a checkout's hold its `checkout_id`.
    """

    member_id: UUID
    hold_id: UUID
    place: Place
    currency: str
    points: int
    stored_value_minor: int
    timeout: timedelta | None = None
    checkout_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CaptureHold:
    """Spend all or part of a direct hold and release the rest."""

    member_id: UUID
    hold_id: UUID
    place: Place
    currency: str
    points: int
    stored_value_minor: int


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """Give a hold back; one never seen is fenced off for ever."""

    member_id: UUID
    hold_id: UUID


@dataclass(frozen=True, slots=True)
class WarnExpiring:
    """Warn of what expires soon by the calendar of `zone`; the job's command."""

    member_id: UUID
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class ImportBalance:
    """Bring in one lot that the member had in another system: row `line` of an import.

    The row is known for ever by (import id, reference).
    """

    import_id: UUID
    line: int
    reference: str
    member_id: UUID
    asset: Asset
    amount: int
    earned_at: datetime
    expires_at: datetime | None


Command = (
    PostCheckout
    | CancelPost
    | ReverseCheckout
    | TopUpStoredValue
    | SettleDue
    | AuthorizeHold
    | CaptureHold
    | ReleaseHold
    | WarnExpiring
    | MovementCommand
    | ImportBalance
)


def members_of(command: Command) -> tuple[UUID, ...]:
    """The members whose accounts a command may change, or whose part in a group it changes."""
    if isinstance(command, TransferPoints):
        return command.from_member_id, command.to_member_id
    if isinstance(command, PutTransferGroup):
        return command.member_ids
    return (command.member_id,)


@dataclass(frozen=True, slots=True)
class PublishProgramme:
    """Publish a new version; the programme's own version is ignored.

    `expected_version` is the latest version the caller has seen, 0 for whatever it is.
    """

    programme: Programme
    expected_version: int = 0


@dataclass(frozen=True, slots=True)
class CreateDraft:
    """Keep a draft under a fresh id; the programme's own version is ignored."""

    draft_id: UUID
    programme: Programme
    title: str


@dataclass(frozen=True, slots=True)
class UpdateDraft:
    """Replace an open draft's content, if it still is at the revision that was seen."""

    draft_id: UUID
    expected_revision: int
    programme: Programme
    title: str


@dataclass(frozen=True, slots=True)
class DiscardDraft:
    """Close a draft that won't be used."""

    draft_id: UUID
    expected_revision: int


@dataclass(frozen=True, slots=True)
class ActivateDraft:
    """Make a draft the next version; `expected_version` as in PublishProgramme."""

    draft_id: UUID
    expected_revision: int
    expected_version: int = 0


@dataclass(frozen=True, slots=True)
class RetireProgramme:
    """End a version from `valid_until` on, None for now."""

    version: int
    valid_until: datetime | None = None


ProgrammeCommand = (
    PublishProgramme | CreateDraft | UpdateDraft | DiscardDraft | ActivateDraft | RetireProgramme
)
