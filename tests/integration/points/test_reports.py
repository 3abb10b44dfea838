"""Reports over gRPC: liability, trial balance, statements in rows and in CSV."""

from __future__ import annotations

import asyncio
import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import entry_pb2, programme_pb2, purchase_pb2
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1 import report_service_pb2 as reports

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from services.points.storage.reports.statements import PAGE_LINES
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import (
    PLACE,
    post,
    purchase,
    request_id,
    top_up,
)
from tests.integration.points.running import Caller, Points
from tests.integration.points.test_books import some_history

POINTS, CASH, BONUS = range(3)


async def funded_by_merchant(points: Points) -> None:
    """Publish a programme in which gold members' extra is the merchant's."""
    operator = points.caller("operator")
    programme = (await operator.call("GetProgramme", pb.GetProgrammeRequest())).programme
    for rule in programme.earning_rules:
        if rule.code == "TIER_GOLD":
            rule.funder = purchase_pb2.FUNDER_MERCHANT
    published = programme_pb2.Programme()
    published.CopyFrom(programme)
    published.valid_from.FromDatetime(datetime(2001, 1, 1, tzinfo=UTC))
    request = pb.PublishProgrammeRequest(request_id=request_id(), programme=published)
    await operator.call("PublishProgramme", request)


def test_the_liability_agrees_with_the_verified_books_and_is_split_by_who_funds_it(
    serve: Serve,
) -> None:
    async def owe() -> None:
        async with serve() as points:
            await funded_by_merchant(points)
            caller, gold = points.caller(), uuid4()
            await some_history(caller, uuid4())
            await caller.call("TopUp", top_up(gold, 50_000))
            await caller.call("Post", post(purchase(gold, 20_000, tier="GOLD")))
            await caller.call("Post", post(purchase(gold, 10_000, tier="GOLD", points=101)))
            books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            report = await points.reporter().call(
                "GetLiabilityReport", reports.GetLiabilityReportRequest()
            )
            for owed, asset in zip(report.assets, books.assets, strict=True):
                houses = {each.account: each.balance for each in asset.house_totals}
                assert owed.total.outstanding == asset.member_balances
                assert owed.total.expired == houses.get("EXPIRED", 0)
                spent = "REDEEMED" if owed.asset == entry_pb2.ASSET_POINTS else "SETTLEMENT"
                assert owed.total.redeemed == houses.get(spent, 0)
                check_groups(owed)
            assert report.points_per_unit == 100
            check_sources(report.assets[POINTS])
            assert report.assets[CASH].breakage.status == reports.BREAKAGE_STATUS_NOTHING_EXPIRES
            young = report.assets[POINTS].breakage
            assert young.status == reports.BREAKAGE_STATUS_TOO_LITTLE_HISTORY
            assert "Kaplan and Meier" in young.method

    asyncio.run(owe())


def check_groups(owed: Any) -> None:
    """Every list adds up to the total, in every figure."""
    for groups in (owed.by_source, owed.by_rule, owed.by_earned_month, owed.by_expiry_month):
        for figure in ("earned", "redeemed", "expired", "outstanding", "value_minor"):
            summed = sum(getattr(group.figures, figure) for group in groups)
            assert summed == getattr(owed.total, figure)


def check_sources(owed: Any) -> None:
    """Gold earned 200 + 100 and 98 + 49 (less the 101 redeemed), two thirds the group's.

    Of the first lot's 300 points 101 went: what is left, 199, is 132 2/3 and 66 1/3, so 133 and 66.
    """
    sources = {each.account: each for each in owed.by_source}
    issued, funded = sources["ISSUED"], sources["FUNDING"]
    assert (issued.funder, funded.funder) == (
        purchase_pb2.FUNDER_ISSUER,
        purchase_pb2.FUNDER_MERCHANT,
    )
    assert funded.merchant_id == PLACE.merchant_id
    rules = {each.rule_code: each.figures.outstanding for each in owed.by_rule}
    assert rules["TIER_GOLD"] == funded.figures.outstanding
    second = funded.figures.earned - 100
    assert funded.figures.outstanding == 66 + second


def test_the_liability_of_a_past_instant_is_what_was_answered_then(serve: Serve) -> None:
    async def look_back() -> None:
        clock = ManualClock(datetime.now(UTC) - timedelta(days=1000))
        async with serve(clock=clock) as points:
            caller, reporter, member = points.caller(), points.reporter(), uuid4()

            async def dine(amount: int, **more: Any) -> None:
                bought = purchase(member, amount, occurred_at=clock.now(), **more)
                await caller.call("Post", post(bought))

            await caller.call("TopUp", top_up(member, 100_000))
            await dine(70_000)
            now = reports.GetLiabilityReportRequest()
            then = await reporter.call("GetLiabilityReport", now)
            clock.advance(timedelta(days=40))
            await dine(30_000, points=200, stored=11_000)
            clock.advance(timedelta(days=800))  # everything that expires has
            await dine(1_000)
            asked = reports.GetLiabilityReportRequest(as_of=then.as_of)
            again = await reporter.call("GetLiabilityReport", asked)
            assert again == without_held_groups(then)
            after = await reporter.call("GetLiabilityReport", now)
            assert after.assets[POINTS].total.expired == 700 - 200 + 288
            assert after.assets[POINTS].total.outstanding == 10
            assert after.assets[BONUS].total.outstanding == 0

    asyncio.run(look_back())


def without_held_groups(report: Any) -> Any:
    """What is left of a report once nobody knows any more which lots were held."""
    for asset in report.assets:
        for groups in (
            asset.by_source, asset.by_rule, asset.by_earned_month, asset.by_expiry_month,
        ):  # fmt: skip
            for group in groups:
                group.figures.ClearField("held")
    return report


def test_what_is_due_but_not_yet_posted_as_expired_is_told_apart(serve: Serve) -> None:
    async def wait() -> None:
        clock = ManualClock(datetime.now(UTC) - timedelta(days=1000))
        async with serve(clock=clock) as points:
            bought = purchase(uuid4(), 70_000, occurred_at=clock.now())
            await points.caller().call("Post", post(bought))
            clock.advance(timedelta(days=900))
            owed = (
                await points.reporter().call(
                    "GetLiabilityReport", reports.GetLiabilityReportRequest()
                )
            ).assets[POINTS]
            assert (owed.total.outstanding, owed.due) == (700, 700)
            assert owed.breakage.status == reports.BREAKAGE_STATUS_ESTIMATED
            assert owed.breakage.amount == 700

    asyncio.run(wait())


def test_a_trial_balance_of_everything_is_the_verified_books(serve: Serve) -> None:
    async def balance() -> None:
        async with serve() as points:
            for _ in range(3):
                await some_history(points.caller(), uuid4())
            books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            found = await points.reporter().call(
                "GetTrialBalance", reports.GetTrialBalanceRequest()
            )
            assert found.balanced
            assert not found.HasField("since")
            for asset, verified in zip(found.assets, books.assets, strict=True):
                assert asset.members.closing == verified.member_balances
                closings: dict[str, int] = {}
                for line in asset.accounts:
                    closings[line.account] = closings.get(line.account, 0) + line.closing
                    assert bool(line.merchant_id) == (line.account in ("FUNDING", "SETTLEMENT"))
                assert closings == {each.account: each.balance for each in verified.house_totals}

    asyncio.run(balance())


async def exported(reporter: Caller, member: UUID, **asked: Any) -> list[Any]:
    request = reports.ExportStatementRequest(member_id=str(member), **asked)
    return await reporter.stream("ExportStatement", request)


def test_a_statement_shows_principal_and_gift_apart_and_its_lines_lead_to_its_balances(
    serve: Serve,
) -> None:
    async def export() -> None:
        async with serve() as points:
            member = uuid4()
            await some_history(points.caller(), member)
            (part,) = await exported(points.reporter("gateway"), member)
            assert [part.opening.points, part.opening.cash_minor] == [0, 0]
            for asset, closing in (
                (entry_pb2.ASSET_POINTS, part.closing.points),
                (entry_pb2.ASSET_CASH, part.closing.cash_minor),
                (entry_pb2.ASSET_BONUS, part.closing.bonus_minor),
            ):
                lines = [line for line in part.lines if line.asset == asset]
                assert sum(line.amount for line in lines) == lines[-1].balance_after == closing
            assert (part.closing.cash_minor, part.closing.bonus_minor) == (50_000, 3_000)
            top_up_lines = [(line.asset, line.account) for line in part.lines[:2]]
            assert top_up_lines == [
                (entry_pb2.ASSET_CASH, "CASH_IN"),
                (entry_pb2.ASSET_BONUS, "ISSUED"),
            ]
            nobody = await exported(points.reporter(), uuid4())
            assert len(nobody) == 1
            assert not nobody[0].lines

    asyncio.run(export())


def test_a_long_statement_comes_in_parts_and_in_periods_without_loss(serve: Serve) -> None:
    async def export() -> None:
        clock = ManualClock(datetime.now(UTC) - timedelta(days=500))
        async with serve(clock=clock) as points:
            member, caller = uuid4(), points.caller()
            middle = None
            posts = PAGE_LINES + 10
            for number in range(posts):
                if number == posts // 2:
                    middle = clock.now()
                bought = purchase(member, 100 * (number + 1), occurred_at=clock.now())
                await caller.call("Post", post(bought))
                clock.advance(timedelta(minutes=1))
            assert middle is not None
            parts = await exported(points.reporter(), member)
            assert [len(part.lines) for part in parts] == [PAGE_LINES, 10]
            assert [part.HasField("closing") for part in parts] == [False, True]
            lines = [line for part in parts for line in part.lines]
            earlier = await exported(points.reporter(), member, before=middle)
            later = await exported(points.reporter(), member, since=middle)
            assert [*earlier[0].lines, *later[0].lines] == lines
            assert earlier[-1].closing == later[0].opening
            assert later[-1].closing.points == sum(range(1, posts + 1))
            content = b"".join(
                part.csv
                for part in await exported(
                    points.reporter(), member, format=reports.STATEMENT_FORMAT_CSV
                )
            )
            assert len(read(content)) == 1 + 3 + len(lines) + 3

    asyncio.run(export())


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(StringIO(content.decode(), newline="")))


def test_a_csv_statement_adds_up_and_no_rule_name_runs_as_a_formula(
    serve: Serve, ledger_url: str
) -> None:
    async def export() -> None:
        async with serve() as points:
            member = uuid4()
            await some_history(points.caller(), member)
            with psycopg.connect(ledger_url) as connection:
                connection.execute("SET LOCAL session_replication_role = replica")
                connection.execute(
                    "UPDATE postings SET rule = '=cmd|''/c calc''!A0' WHERE rule > ''"
                )
            (part,) = await exported(points.reporter(), member, format=reports.STATEMENT_FORMAT_CSV)
            header, *rows = read(part.csv)
            assert not part.lines
            assert header[:4] == ["posted_at", "entry_id", "line", "kind"]
            assert {row[9] for row in rows} == {"", "'=cmd|'/c calc'!A0"}
            for asset in ("POINTS", "CASH", "BONUS"):
                own = [row for row in rows if row[4] == asset]
                opening, *moved, closing = own
                assert (opening[3], closing[3]) == ("OPENING", "CLOSING")
                total = int(opening[7])
                for row in moved:
                    total += int(row[6])
                    assert int(row[7]) == total
                assert int(closing[7]) == total
                assert {row[5] for row in own} == {"POINT" if asset == "POINTS" else "CNY 0.01"}

    asyncio.run(export())


def test_entries_are_listed_from_an_instant_on_and_its_token_fits_no_other(serve: Serve) -> None:
    async def read_since() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            await some_history(caller, member)
            all_of_it = await caller.call(
                "ListEntries", pb.ListEntriesRequest(member_id=str(member))
            )
            since = all_of_it.entries[1].posted_at
            request = pb.ListEntriesRequest(member_id=str(member), since=since, page_size=1)
            page = await caller.call("ListEntries", request)
            assert list(page.entries) == all_of_it.entries[:1]
            request.page_token = page.next_page_token
            last = await caller.call("ListEntries", request)
            assert list(last.entries) == all_of_it.entries[1:2]
            assert not last.next_page_token
            request.ClearField("since")
            with pytest.raises(Refusal) as refused:
                await caller.call("ListEntries", request)
            assert refused.value.reason == "PAGE_TOKEN_INVALID"

    asyncio.run(read_since())


@pytest.mark.parametrize(
    ("method", "asked", "reason"),
    [
        ("GetLiabilityReport", {"as_of": timedelta(days=1)}, "PERIOD_INVALID"),
        ("GetTrialBalance", {"before": timedelta(days=1)}, "PERIOD_INVALID"),
        ("GetTrialBalance", {"since": timedelta(days=1)}, "PERIOD_INVALID"),
        (
            "GetTrialBalance",
            {"since": timedelta(days=-1), "before": timedelta(days=-2)},
            "PERIOD_INVALID",
        ),
        ("GetLiabilityReport", {"time_zone": "Mars/Olympus"}, "INVALID_FIELD"),
        ("GetLiabilityReport", {"time_zone": "posixrules"}, "INVALID_FIELD"),
    ],
)
def test_a_report_of_what_is_not_over_or_nowhere_is_refused(
    method: str, asked: dict[str, Any], reason: str, serve: Serve
) -> None:
    now = datetime.now(UTC)
    values = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in asked.items()
    }

    async def ask() -> None:
        async with serve() as points:
            request = getattr(reports, f"{method}Request")(**values)
            with pytest.raises(Refusal) as refused:
                await points.reporter().call(method, request)
            assert refused.value.reason == reason
            assert refused.value.fields[0].field == list(asked)[-1]

    asyncio.run(ask())


def test_only_operators_see_the_house_and_only_gateway_and_operators_a_member(
    serve: Serve,
) -> None:
    async def knock() -> None:
        async with serve() as points:
            gateway = points.reporter("gateway")
            for method, request in (
                ("GetLiabilityReport", reports.GetLiabilityReportRequest()),
                ("GetTrialBalance", reports.GetTrialBalanceRequest()),
            ):
                with pytest.raises(Refusal) as refused:
                    await gateway.call(method, request)
                assert refused.value.reason == "CALLER_NOT_ALLOWED"
            with pytest.raises(Refusal) as refused:
                await exported(points.reporter("notify"), uuid4())
            assert refused.value.reason == "CALLER_NOT_ALLOWED"

    asyncio.run(knock())
