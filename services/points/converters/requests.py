"""Requests into commands; what the proto's field rules can't say is refused here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from huitouke.points.v1 import hold_pb2, purchase_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.type.v1 import place_pb2

from chassis.identifiers import parse_id
from services.points.converters.programmes import to_programme
from services.points.converters.values import (
    CATEGORIES,
    CHANNELS,
    SEASONS,
    TENDERS,
    to_id,
    to_instant,
    to_zone,
)
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    Command,
    PostCheckout,
    PublishProgramme,
    ReleaseHold,
    ReverseCheckout,
    TopUpStoredValue,
)
from services.points.domain.purchases import Facts, Line, Place, Purchase, Stay

WriteRequest = (
    pb.PostRequest
    | pb.CancelPostRequest
    | pb.ReverseRequest
    | pb.UndoPostRequest
    | pb.TopUpRequest
    | hold_pb2.AuthorizeHoldRequest
    | hold_pb2.CaptureHoldRequest
    | hold_pb2.ReleaseHoldRequest
)

HOLD_TIMEOUT_DEFAULT: Final = timedelta(minutes=15)
"""How long a direct hold lives where its request doesn't say."""


def to_command(request: WriteRequest) -> Command:
    """The command a validated request stands for; refuses INVALID_FIELD."""
    return _COMMANDS[type(request)](request)


def _to_post(request: pb.PostRequest) -> PostCheckout:
    return PostCheckout(
        parse_id(request.checkout_id),
        to_purchase(request.purchase),
        _optional_id(request.hold_id),
        request.expected_to_pay_minor if request.HasField("expected_to_pay_minor") else None,
    )


def _to_cancel(request: pb.CancelPostRequest) -> CancelPost:
    return CancelPost(parse_id(request.member_id), parse_id(request.checkout_id))


def _to_reverse(request: pb.ReverseRequest) -> ReverseCheckout:
    return ReverseCheckout(
        parse_id(request.member_id),
        parse_id(request.checkout_id),
        parse_id(request.reversal_id),
        to_place(request.place, "place"),
        request.amount_minor if request.HasField("amount_minor") else None,
    )


def _to_undo(request: pb.UndoPostRequest) -> ReverseCheckout:
    checkout_id = parse_id(request.checkout_id)
    place = to_place(request.place, "place")
    return ReverseCheckout(
        parse_id(request.member_id), checkout_id, reversal_id=checkout_id, place=place, untold=True
    )


def _to_top_up(request: pb.TopUpRequest) -> TopUpStoredValue:
    return TopUpStoredValue(
        parse_id(request.member_id),
        parse_id(request.top_up_id),
        to_place(request.place, "place"),
        request.amount_minor,
        request.currency,
        TENDERS.get(request.tender),
    )


def _to_authorize(request: hold_pb2.AuthorizeHoldRequest) -> AuthorizeHold:
    checkout_id, timeout = _optional_id(request.checkout_id), None
    if checkout_id is None:
        timeout = HOLD_TIMEOUT_DEFAULT
        if request.HasField("timeout"):
            timeout = request.timeout.ToTimedelta()
    return AuthorizeHold(
        parse_id(request.member_id),
        parse_id(request.hold_id),
        to_place(request.place, "place"),
        request.currency,
        request.points,
        request.stored_value_minor,
        timeout,
        checkout_id,
    )


def _to_capture(request: hold_pb2.CaptureHoldRequest) -> CaptureHold:
    return CaptureHold(
        parse_id(request.member_id),
        parse_id(request.hold_id),
        to_place(request.place, "place"),
        request.currency,
        request.points,
        request.stored_value_minor,
    )


def _to_release(request: hold_pb2.ReleaseHoldRequest) -> ReleaseHold:
    return ReleaseHold(parse_id(request.member_id), parse_id(request.hold_id))


def to_quote(request: pb.QuoteRequest, checkout_id: UUID) -> PostCheckout:
    """The command whose effect is quoted; `checkout_id` is a fresh one, for who names none."""
    return PostCheckout(
        _optional_id(request.checkout_id) or checkout_id,
        to_purchase(request.purchase),
        _optional_id(request.hold_id),
    )


def to_publish(request: pb.PublishProgrammeRequest) -> PublishProgramme:
    return PublishProgramme(to_programme(request.programme), request.expected_version)


def to_purchase(purchase: purchase_pb2.Purchase) -> Purchase:
    facts = purchase.member
    return Purchase(
        parse_id(purchase.member_id),
        to_place(purchase.place, "purchase.place"),
        purchase.currency,
        to_instant(purchase.occurred_at, "purchase.occurred_at"),
        Facts(facts.tier, frozenset(facts.tags), facts.birth_month, facts.purchased_before),
        tuple([Line(CATEGORIES[line.category], line.amount_minor) for line in purchase.lines]),
        purchase.redeem_points,
        purchase.pay_stored_value_minor,
        _to_stay(purchase.stay) if purchase.HasField("stay") else None,
        SEASONS[purchase.season],
    )


def to_place(place: place_pb2.Place, field: str) -> Place:
    return _place(
        place.merchant_id,
        place.outlet_id,
        place.terminal_id,
        place.property_code,
        place.time_zone,
        field,
    )


@lru_cache(maxsize=4096)
def _place(
    merchant: str, outlet: str, terminal: str, property_code: str, zone: str, field: str
) -> Place:
    return Place(
        to_id(merchant),
        to_id(outlet),
        to_id(terminal),
        property_code,
        to_zone(zone, f"{field}.time_zone"),
    )


def _optional_id(text: str) -> UUID | None:
    return parse_id(text) if text else None


def _to_stay(stay: purchase_pb2.Stay) -> Stay:
    ends_at = None
    if stay.HasField("ends_at"):
        ends_at = to_instant(stay.ends_at, "purchase.stay.ends_at")
    return Stay(CHANNELS[stay.channel], stay.rate_code, stay.nights, ends_at, stay.member_absent)


_COMMANDS: Final[Mapping[type[WriteRequest], Callable[[Any], Command]]] = {
    pb.PostRequest: _to_post,
    pb.CancelPostRequest: _to_cancel,
    pb.ReverseRequest: _to_reverse,
    pb.UndoPostRequest: _to_undo,
    pb.TopUpRequest: _to_top_up,
    hold_pb2.AuthorizeHoldRequest: _to_authorize,
    hold_pb2.CaptureHoldRequest: _to_capture,
    hold_pb2.ReleaseHoldRequest: _to_release,
}
