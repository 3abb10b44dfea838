"""The refund desk: a committed checkout is undone by whole, by amount or by line."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from huitouke.gateway.v1 import partner_service_pb2

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.kernel import Category, Refusal
from chassis.storage.reads import Reads
from chassis.telemetry.logs import get_logger
from gateway.converters.fingerprints import differing_field, fingerprint
from gateway.converters.refunding import (
    amounts_of,
    next_ordinal,
    to_asked,
    to_refund_opening,
)
from gateway.domain import errors
from gateway.domain.checkouts import (
    Record,
    RefundOpening,
    RefundRecord,
    RefundRecorded,
    RefundState,
    State,
)
from gateway.domain.principals import Principal
from gateway.domain.refunding import Refunder
from gateway.servicers.desk import CheckoutDesk
from gateway.storage import reads as read

_log = get_logger("gateway.refunds")


class RefundDesk:
    """Carries out RefundCheckout."""

    def __init__(
        self, desk: CheckoutDesk, refunder: Refunder, reads: Reads, clock: Clock, key: bytes
    ) -> None:
        self._desk = desk
        self._refunder = refunder
        self._reads = reads
        self._clock = clock
        self._key = key

    async def refund(
        self, request: partner_service_pb2.RefundCheckoutRequest, principal: Principal
    ) -> RefundRecorded:
        """Return the refund done; raises the Refusal it was refused with, or a passing one."""
        to_asked(request)  # what no request may ask is refused before anything is looked up
        asked = fingerprint(request, self._key)
        recorded = await self._known(request, principal)
        if recorded is None:
            checkout = await self._checkout(request, principal)
            opening = await self._opening(request, principal, checkout, asked.field_macs)
            recorded = await self._refunder.open(opening)
        field = differing_field(recorded.record.opening.fingerprint, asked)
        if field is not None:
            raise errors.request_id_reused(field)
        record = await self._conclude(recorded.record)
        if record.state is RefundState.REFUSED:
            assert record.refusal is not None
            raise record.refusal.copy(replayed=not recorded.fresh)
        return RefundRecorded(record, recorded.fresh)

    async def _known(
        self, request: partner_service_pb2.RefundCheckoutRequest, principal: Principal
    ) -> RefundRecorded | None:
        """Return what was recorded under this request id: its amounts are worked out once."""
        known = await self._reads.run(
            read.refund_by_request, principal.merchant_id, request.request_id
        )
        return RefundRecorded(known, fresh=False) if known else None

    async def _checkout(
        self, request: partner_service_pb2.RefundCheckoutRequest, principal: Principal
    ) -> Record | None:
        """Return this merchant's checkout, brought to its end first; None if it has none such.

        Raises Refusal CHECKOUT_OPEN, which is not remembered: the commit may come.
        """
        record = await self._reads.run(read.checkout_by_id, UUID(request.checkout_id))
        if record is None or record.opening.till.merchant_id != principal.merchant_id:
            return None
        if not record.finished:
            record = await self._desk.settle(record)
        if record.state is State.OPEN:
            raise errors.checkout_open()
        return record

    async def _opening(
        self,
        request: partner_service_pb2.RefundCheckoutRequest,
        principal: Principal,
        checkout: Record | None,
        macs: bytes,
    ) -> RefundOpening:
        opening = RefundOpening(
            refund_id=new_id(),
            request_id=request.request_id,
            till=principal.till,
            fingerprint=macs,
            checkout_id=UUID(request.checkout_id),
            member_id=None,
            opened_at=self._clock.now(),
        )
        if checkout is None:
            return replace(opening, refusal=errors.checkout_not_found())
        if checkout.state is not State.COMMITTED:
            return replace(opening, refusal=errors.checkout_cancelled())
        refunds = await self._reads.run(read.refunds_of, checkout.checkout_id)
        opening = replace(opening, ordinal=next_ordinal(refunds))
        try:
            amounts = amounts_of(checkout, refunds, to_asked(request))
        except Refusal as refusal:
            if refusal.category is Category.INVALID:  # never remembered as an answer
                raise
            return replace(opening, refusal=refusal)
        return to_refund_opening(opening, checkout, amounts, principal)

    async def _conclude(self, record: RefundRecord) -> RefundRecord:
        try:
            return await self._refunder.conclude(record)
        except Refusal as refusal:
            if not refusal.passing:
                _log.error("refund_refused", refund=str(record.refund_id), reason=refusal.reason)
            raise errors.in_progress() from refusal
