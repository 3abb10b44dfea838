"""Refunds: the ledger first, the commit point; the coupons with the last amount; the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from chassis.kernel import Refusal
from gateway.domain import errors
from gateway.domain.checkouts import RefundOpening, RefundRecord, RefundRecorded, RefundState
from gateway.domain.coordinator import Reach
from gateway.domain.participants import Participants, RefundJournal


class Refunder:
    """Drives recorded refunds to their end; may be run by anyone, at any time, again."""

    def __init__(self, participants: Participants, journal: RefundJournal, reach: Reach) -> None:
        self._participants = participants
        self._journal = journal
        self._reach = reach

    async def open(self, opening: RefundOpening) -> RefundRecorded:
        """Write the first record, decided under the checkout row's lock."""
        await self._reach("gateway.refund.before_record")
        recorded = await self._journal.record_refund(opening)
        await self._reach("gateway.refund.after_record")
        return recorded

    async def conclude(self, record: RefundRecord) -> RefundRecord:
        """Bring an open refund to its end; raises a passing Refusal when it can't be done now."""
        if record.state is not RefundState.OPEN:
            return record
        opening = record.opening
        await self._reach("gateway.refund.before_reverse")
        try:
            reversed_ = await self._participants.reverse(opening.reverse)
        except Refusal as refusal:
            return await self._refused(record, refusal)
        await self._reach("gateway.refund.after_reverse")
        rolled_back = None
        if opening.roll_back and reversed_.whole:
            await self._reach("gateway.refund.before_rollback")
            rolled_back = await self._participants.roll_back(opening.roll_back)
            await self._reach("gateway.refund.after_rollback")
        await self._reach("gateway.refund.before_decision")
        done = await self._journal.complete_refund(record, reversed_, rolled_back)
        await self._reach("gateway.refund.after_decision")
        return done

    async def _refused(self, record: RefundRecord, refusal: Refusal) -> RefundRecord:
        """What the ledger will never do ends a refund; anything else is tried again."""
        said = _FINAL.get(refusal.reason)
        if said is None:
            raise refusal
        return await self._journal.refuse_refund(record, said(refusal))


def _as_it_is(refusal: Refusal) -> Refusal:
    return refusal


_FINAL: Final[Mapping[str, Callable[[Refusal], Refusal]]] = {
    "ALREADY_REVERSED": lambda _: errors.already_refunded(),
    "REVERSAL_EXCEEDS_CHECKOUT": lambda refusal: errors.refund_exceeds_checkout(
        int(refusal.metadata["left_minor"])
    ),
    "EARNED_POINTS_SPENT": _as_it_is,
}
"""Refusals by a rule of the ledger's, in the till's words; the first two by another hand's work."""
