"""A till and an operator, speaking gRPC over TLS as any outsider would."""

from __future__ import annotations

import contextlib
import itertools
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.coupon.v1 import campaign_pb2, coupon_service_pb2, coupon_service_pb2_grpc
from huitouke.gateway.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    checkout_pb2,
    merchant_pb2,
    partner_service_pb2,
    partner_service_pb2_grpc,
)
from huitouke.points.v1 import (
    movement_service_pb2,
    movement_service_pb2_grpc,
    points_service_pb2,
    points_service_pb2_grpc,
)
from huitouke.type.v1 import merchant_category_pb2

from chassis.kernel import Refusal
from chassis.rpc.status import from_rpc_error
from cli.clients import operator_credentials, partner_credentials
from cli.endpoints import Endpoints
from tests.integration.gateway.tab_requests import commit_request, open_request

TIMEOUT_SECONDS = 20.0
ALL_SCOPES = tuple(number for number in merchant_pb2.Scope.values() if number)
_mobiles = itertools.count(os.getpid() % 10_000 * 1_000)


def new_request_id() -> str:
    return f"test/{uuid.uuid4()}"


def refusal_of(method: Any, *arguments: Any, **options: Any) -> Refusal:
    """The refusal that a call raises; AssertionError when it is answered."""
    try:
        answer = method(*arguments, **options)
    except Refusal as refusal:
        return refusal
    raise AssertionError(f"answered {answer}")


def instant(when: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(when)
    return made


@dataclass(frozen=True, slots=True)
class Answer:
    """A response and whether it was marked as replayed."""

    response: Any
    replayed: bool


class Till:
    """One terminal of one merchant, with an API key. Methods raise Refusal."""

    def __init__(
        self, endpoints: Endpoints, key: str, terminal_id: str, merchant: merchant_pb2.Merchant
    ) -> None:
        self.key = key
        self.terminal_id = terminal_id
        self.merchant = merchant
        self._channel = grpc.secure_channel(endpoints.partner, partner_credentials(endpoints))
        self._stub = partner_service_pb2_grpc.PartnerServiceStub(self._channel)

    def call(self, method: str, request: Any, timeout: float | None = TIMEOUT_SECONDS) -> Answer:
        metadata = []
        if self.key:
            metadata.append(("authorization", f"Bearer {self.key}"))
        if self.terminal_id:
            metadata.append(("huitouke-terminal", self.terminal_id))
        try:
            response, call = getattr(self._stub, method).with_call(
                request, timeout=timeout, metadata=metadata
            )
        except grpc.RpcError as error:
            refusal = from_rpc_error(error)
            refusal.replayed = _replayed(error)  # type: ignore[arg-type]
            raise refusal from None
        return Answer(response, _replayed(call))

    def start(self, method: str, request: Any, timeout: float = TIMEOUT_SECONDS) -> Any:
        """Begin a call; `.result()` ends it."""
        metadata = (
            ("authorization", f"Bearer {self.key}"),
            ("huitouke-terminal", self.terminal_id),
        )
        return getattr(self._stub, method).future(request, timeout=timeout, metadata=metadata)

    def start_stream(self, method: str, request: Any, timeout: float = TIMEOUT_SECONDS) -> Any:
        """Begin a call whose answer is a stream; iterate over it."""
        metadata = (
            ("authorization", f"Bearer {self.key}"),
            ("huitouke-terminal", self.terminal_id),
        )
        return getattr(self._stub, method)(request, timeout=timeout, metadata=metadata)

    def with_key(self, key: str, terminal_id: str | None = None) -> Till:
        """The same till with another key."""
        other = object.__new__(Till)
        other.__dict__.update(self.__dict__)
        other.key = key
        other.terminal_id = self.terminal_id if terminal_id is None else terminal_id
        return other

    def enrol(self, mobile: str | None = None, **fields: Any) -> Any:
        """Enrol a synthetic guest; the response."""
        fields.setdefault("request_id", new_request_id())
        fields.setdefault("vouched_by_staff", "S001")
        request = partner_service_pb2.EnrolMemberRequest(
            name="测试客人", mobile=mobile or new_mobile(), **fields
        )
        return self.call("EnrolMember", request).response

    def member_id(self) -> str:
        """A new guest's member id."""
        return str(self.enrol().member.member_id)

    def top_up(self, member_id: str, amount_minor: int, **fields: Any) -> Answer:
        fields.setdefault("request_id", new_request_id())
        fields.setdefault("currency", "CNY")
        request = partner_service_pb2.TopUpRequest(
            member=checkout_pb2.MemberIdentifier(member_id=member_id),
            amount_minor=amount_minor,
            tender=checkout_pb2.TENDER_KIND_BANK_CARD,
            **fields,
        )
        return self.call("TopUp", request)

    def claim(self, member_id: str, campaign_code: str, request_id: str = "") -> str:
        """A new coupon's id."""
        request = partner_service_pb2.ClaimCouponRequest(
            request_id=request_id or new_request_id(),
            member=checkout_pb2.MemberIdentifier(member_id=member_id),
            campaign_code=campaign_code,
        )
        return str(self.call("ClaimCoupon", request).response.coupon.coupon_id)

    def checkout(
        self, purchase: checkout_pb2.Purchase, request_id: str = "", timeout: float = 20.0
    ) -> Answer:
        request = partner_service_pb2.CheckoutRequest(
            request_id=request_id or new_request_id(), purchase=purchase
        )
        return self.call("Checkout", request, timeout)

    def open(
        self, member_id: str, request_id: str = "", timeout: float = 20.0, **fields: Any
    ) -> Answer:
        """Open a checkout; `fields` of OpenCheckoutRequest."""
        request = open_request(member_id, request_id or new_request_id(), **fields)
        return self.call("OpenCheckout", request, timeout)

    def commit(
        self, checkout_id: str, *amounts: int, request_id: str = "", **fields: Any
    ) -> Answer:
        """Commit an open checkout with lines of these amounts."""
        request = commit_request(checkout_id, request_id or new_request_id(), *amounts, **fields)
        return self.call("CommitCheckout", request)

    def quote_commit(self, checkout_id: str, *amounts: int, **fields: Any) -> Any:
        """The receipt that a commit with lines of these amounts would give."""
        commit = commit_request(checkout_id, new_request_id(), *amounts, **fields)
        request = partner_service_pb2.QuoteCommitRequest(commit=commit)
        return self.call("QuoteCommit", request).response.receipt

    def cancel_open(self, checkout_id: str) -> Any:
        request = partner_service_pb2.CancelCheckoutRequest(checkout_id=checkout_id)
        return self.call("CancelCheckout", request).response.checkout

    def find(self, request_id: str) -> Any:
        """The checkout made with this request id."""
        request = partner_service_pb2.GetCheckoutRequest(checkout_request_id=request_id)
        return self.call("GetCheckout", request).response.checkout

    def cancel(self, request_id: str) -> Any:
        request = partner_service_pb2.CancelCheckoutRequest(checkout_request_id=request_id)
        return self.call("CancelCheckout", request).response.checkout

    def refund(
        self,
        checkout_id: str,
        request_id: str = "",
        *,
        amount_minor: int | None = None,
        lines: Sequence[tuple[str, int | None]] = (),
    ) -> Answer:
        """Refund all that is left, or an amount, or lines with what of each (None for all)."""
        request = partner_service_pb2.RefundCheckoutRequest(
            request_id=request_id or new_request_id(),
            checkout_id=checkout_id,
            amount_minor=amount_minor,
            lines=[
                partner_service_pb2.RefundLine(line_id=line_id, amount_minor=amount)
                for line_id, amount in lines
            ],
        )
        return self.call("RefundCheckout", request)

    def balances(self, member_id: str) -> Any:
        request = partner_service_pb2.GetBalancesRequest(
            member=checkout_pb2.MemberIdentifier(member_id=member_id)
        )
        return self.call("GetBalances", request).response.balances


class Operator:
    """Registers merchants and keys, makes campaigns, reads the books. Methods raise Refusal."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        credentials = operator_credentials(endpoints)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(
            _mutual(endpoints.admin, credentials, "gateway")
        )
        self.coupon = coupon_service_pb2_grpc.CouponServiceStub(
            _mutual(endpoints.coupon, credentials, "coupon")
        )
        points = _mutual(endpoints.points, credentials, "points")
        self.points = points_service_pb2_grpc.PointsServiceStub(points)
        self.movements = movement_service_pb2_grpc.MovementServiceStub(points)

    def call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from None

    def till(
        self,
        *,
        category: str = "DINING",
        accepts: bool = True,
        sells: bool = True,
        scopes: Sequence[Any] = ALL_SCOPES,
    ) -> Till:
        """A new merchant with one till and a key of these scopes."""
        merchant = self.merchant(category=category, accepts=accepts, sells=sells)
        return self.till_of(merchant, scopes)

    def merchant(
        self, *, category: str = "DINING", accepts: bool = True, sells: bool = True
    ) -> merchant_pb2.Merchant:
        asked = merchant_pb2.Merchant(
            code=f"T-{uuid.uuid4().hex[:16].upper()}",
            name=f"{category} test merchant",
            category=merchant_category_pb2.MerchantCategory.Value(f"MERCHANT_CATEGORY_{category}"),
            accepts_stored_value=accepts,
            sells_stored_value=sells,
        )
        request = admin_service_pb2.CreateMerchantRequest(
            request_id=new_request_id(), merchant=asked
        )
        made: merchant_pb2.Merchant = self.call(self.admin.CreateMerchant, request).merchant
        return made

    def till_of(self, merchant: merchant_pb2.Merchant, scopes: Sequence[Any] = ALL_SCOPES) -> Till:
        """Another till of a merchant, with a key of its own."""
        outlet = merchant_pb2.Outlet(
            merchant_id=merchant.merchant_id, name="Test outlet", property_code="SHA01"
        )
        outlet = self.call(
            self.admin.CreateOutlet,
            admin_service_pb2.CreateOutletRequest(request_id=new_request_id(), outlet=outlet),
        ).outlet
        terminal = self.call(
            self.admin.CreateTerminal,
            admin_service_pb2.CreateTerminalRequest(
                request_id=new_request_id(),
                terminal=merchant_pb2.Terminal(outlet_id=outlet.outlet_id, name="Till 1"),
            ),
        ).terminal
        key = self.api_key(merchant.merchant_id, scopes)
        return Till(self._endpoints, key.secret_text, terminal.terminal_id, merchant)

    def api_key(self, merchant_id: str, scopes: Sequence[Any] = ALL_SCOPES, **fields: Any) -> Any:
        """A new key's whole answer."""
        fields.setdefault("request_id", new_request_id())
        request = admin_service_pb2.CreateApiKeyRequest(
            merchant_id=merchant_id, scopes=scopes, **fields
        )
        return self.call(self.admin.CreateApiKey, request)

    def campaign(self, *, amount_minor: int = 5_000, quantity: int = 0, per_member: int = 0) -> str:
        """A new campaign's code; it takes an amount off DINING and ROOM lines."""
        code = f"C{uuid.uuid4().hex[:20].upper()}"
        now = datetime.now(UTC)
        campaign = campaign_pb2.Campaign(
            code=code,
            name_zh="测试券",
            name_en="Test coupon",
            amount_off=campaign_pb2.AmountOff(amount_minor=amount_minor),
            conditions=campaign_pb2.CouponConditions(
                valid_from=instant(now - timedelta(days=1)),
                valid_until=instant(now + timedelta(days=30)),
                minimum_spend_minor=amount_minor,
            ),
            limits=campaign_pb2.CouponLimits(quantity=quantity, per_member=per_member),
            currency="CNY",
            funder=campaign_pb2.COUPON_FUNDER_ISSUER,
        )
        request = coupon_service_pb2.CreateCampaignRequest(
            request_id=new_request_id(), campaign=campaign
        )
        self.call(self.coupon.CreateCampaign, request)
        return code

    def unite(self, *member_ids: str) -> None:
        """Make a family group of members."""
        request = movement_service_pb2.PutTransferGroupRequest(
            request_id=new_request_id(), group_id=str(uuid.uuid4()), member_ids=member_ids
        )
        self.call(self.movements.PutTransferGroup, request)

    def all_ended(self) -> bool:
        """Whether the books can be read and no checkout is unfinished."""
        with contextlib.suppress(Refusal):
            return bool(self.books().unfinished == 0)
        return False

    def books(self) -> Any:
        """The gateway's books."""
        return self.call(self.admin.VerifyBooks, admin_service_pb2.VerifyBooksRequest())

    def ledger_books(self) -> Any:
        return self.call(self.points.VerifyBooks, points_service_pb2.VerifyBooksRequest())

    def coupon_books(self) -> Any:
        return self.call(self.coupon.VerifyBooks, coupon_service_pb2.VerifyBooksRequest())


def purchase(
    member_id: str,
    *amounts: int,
    coupons: Sequence[str] = (),
    points: int = 0,
    stored_value_minor: int = 0,
    tenders: Sequence[int] = (),
    currency: str = "CNY",
) -> checkout_pb2.Purchase:
    """A purchase of lines without a category of their own."""
    return checkout_pb2.Purchase(
        member=checkout_pb2.MemberIdentifier(member_id=member_id),
        lines=[checkout_pb2.PurchaseLine(quantity=1, amount_minor=amount) for amount in amounts],
        currency=currency,
        coupon_ids=coupons,
        redeem_points=points,
        pay_stored_value_minor=stored_value_minor,
        tenders=[
            checkout_pb2.Tender(kind=checkout_pb2.TENDER_KIND_WECHAT_PAY, amount_minor=amount)
            for amount in tenders
        ],
    )


def new_mobile() -> str:
    """A synthetic mobile that no other test uses in this run, nor any replay or demonstration."""
    return f"+86198{next(_mobiles) % 100_000_000:08d}"


def _mutual(target: str, credentials: grpc.ChannelCredentials, server: str) -> grpc.Channel:
    name = f"{server}.huitouke.internal"
    return grpc.secure_channel(
        target, credentials, options=[("grpc.ssl_target_name_override", name)]
    )


def _replayed(call: grpc.Call) -> bool:
    return ("huitouke-replayed", "true") in tuple(call.trailing_metadata() or ())
