"""The refund desk: a committed checkout is undone wholly, once."""

from __future__ import annotations

from uuid import UUID

from huitouke.gateway.v1 import partner_service_pb2

from chassis.clock import Clock
from chassis.identifiers import new_id
from chassis.kernel import Refusal
from chassis.storage.reads import Reads
from chassis.telemetry.logs import get_logger
from gateway.converters.fingerprints import differing_field, fingerprint
from gateway.converters.refunding import to_refund_opening
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
        checkout = await self._checkout(request, principal)
        asked = fingerprint(request, self._key)
        opening = self._opening(request, principal, checkout, asked.field_macs)
        recorded = await self._refunder.open(opening)
        field = differing_field(recorded.record.opening.fingerprint, asked)
        if field is not None:
            raise errors.request_id_reused(field)
        record = await self._conclude(recorded.record)
        if record.state is RefundState.REFUSED:
            assert record.refusal is not None
            raise record.refusal.copy(replayed=not recorded.fresh)
        return RefundRecorded(record, recorded.fresh)

    async def _checkout(
        self, request: partner_service_pb2.RefundCheckoutRequest, principal: Principal
    ) -> Record | None:
        """Return this merchant's checkout, brought to its end first; None if it has none such."""
        record = await self._reads.run(read.checkout_by_id, UUID(request.checkout_id))
        if record is None or record.opening.till.merchant_id != principal.merchant_id:
            return None
        return record if record.finished else await self._desk.settle(record)

    def _opening(
        self,
        request: partner_service_pb2.RefundCheckoutRequest,
        principal: Principal,
        checkout: Record | None,
        macs: bytes,
    ) -> RefundOpening:
        now = self._clock.now()
        refund_id = new_id()
        if checkout is not None and checkout.state is State.COMMITTED:
            return to_refund_opening(checkout, principal, refund_id, request.request_id, macs, now)
        refusal = errors.checkout_cancelled() if checkout else errors.checkout_not_found()
        return RefundOpening(
            refund_id=refund_id,
            request_id=request.request_id,
            till=principal.till,
            fingerprint=macs,
            checkout_id=UUID(request.checkout_id),
            member_id=None,
            opened_at=now,
            refusal=refusal,
        )

    async def _conclude(self, record: RefundRecord) -> RefundRecord:
        try:
            return await self._refunder.conclude(record)
        except Refusal as refusal:
            if not refusal.passing:
                _log.error("refund_refused", refund=str(record.refund_id), reason=refusal.reason)
            raise errors.in_progress() from refusal
