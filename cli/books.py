"""The books of a running suite, checked across services as an auditor would: by asking each."""

from dataclasses import dataclass

import grpc
from huitouke.coupon.v1 import coupon_service_pb2, coupon_service_pb2_grpc
from huitouke.gateway.v1 import admin_service_pb2, admin_service_pb2_grpc
from huitouke.points.v1 import entry_pb2, points_service_pb2, points_service_pb2_grpc
from rich.table import Table

from cli.clients import call, operator_credentials
from cli.endpoints import Endpoints


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must agree: what it is, the two figures, and whether they do."""

    what: str
    expected: int
    found: int

    @property
    def holds(self) -> bool:
        return self.expected == self.found


def check_books(endpoints: Endpoints) -> list[Check]:
    """Ask the ledger, the coupons and the gateway, and hold their answers against each other.

    Only meaningful while nothing is under way.
    """
    credentials = operator_credentials(endpoints)
    with (
        grpc.secure_channel(endpoints.points, credentials) as points_channel,
        grpc.secure_channel(endpoints.coupon, credentials) as coupon_channel,
        grpc.secure_channel(endpoints.admin, credentials) as admin_channel,
    ):
        ledger = call(
            points_service_pb2_grpc.PointsServiceStub(points_channel).VerifyBooks,
            points_service_pb2.VerifyBooksRequest(),
        )
        coupons = call(
            coupon_service_pb2_grpc.CouponServiceStub(coupon_channel).VerifyBooks,
            coupon_service_pb2.VerifyBooksRequest(),
        )
        gateway = call(
            admin_service_pb2_grpc.AdminServiceStub(admin_channel).VerifyBooks,
            admin_service_pb2.VerifyBooksRequest(),
        )
    return [
        *_ledger_checks(ledger),
        *_coupon_checks(coupons, gateway),
        *_checkout_checks(ledger, gateway),
    ]


def _ledger_checks(ledger: points_service_pb2.VerifyBooksResponse) -> list[Check]:
    checks = []
    for books in ledger.assets:
        asset = entry_pb2.Asset.Name(books.asset).removeprefix("ASSET_")
        houses = sum(house.balance for house in books.house_totals)
        checks += [
            Check(f"{asset}: members + house accounts", 0, books.member_balances + houses),
            Check(f"{asset}: balances = open lots", books.member_balances, books.open_lots),
            Check(f"{asset}: balances = postings", books.member_balances, books.member_postings),
            Check(f"{asset}: members that differ", 0, books.members_differing),
        ]
    return checks


def _coupon_checks(
    coupons: coupon_service_pb2.VerifyBooksResponse,
    gateway: admin_service_pb2.VerifyBooksResponse,
) -> list[Check]:
    return [
        Check("coupons redeemed = open redemptions", coupons.redeemed, coupons.open_redemptions),
        Check("coupons redeemed = those of checkouts", gateway.coupons_redeemed, coupons.redeemed),
        Check("coupons reserved = those of open ones", gateway.coupons_held, coupons.reserved),
        Check("campaigns whose counters differ", 0, coupons.campaigns_differing),
    ]


def _checkout_checks(
    ledger: points_service_pb2.VerifyBooksResponse,
    gateway: admin_service_pb2.VerifyBooksResponse,
) -> list[Check]:
    return [
        Check("checkouts unfinished", 0, gateway.unfinished),
        Check("checkouts committed = posted", gateway.committed, ledger.checkouts_posted),
        Check("checkouts refunded = reversed", gateway.refunded, ledger.checkouts_reversed),
        Check("refunds = reversals", gateway.refunds, ledger.reversals),
        Check("amounts refunded = reversed", gateway.refunded_minor, ledger.reversed_minor),
    ]


def books_table(checks: list[Check]) -> Table:
    """The checks as a table; a line that doesn't hold is red."""
    table = Table(title="The books", title_justify="left")
    table.add_column("what must agree")
    table.add_column("expected", justify="right")
    table.add_column("found", justify="right")
    table.add_column("")
    for check in checks:
        style = "" if check.holds else "bold red"
        mark = "✓" if check.holds else "✗"
        table.add_row(check.what, f"{check.expected:,}", f"{check.found:,}", mark, style=style)
    return table
