"""Statements, verification, and what the database itself refuses."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import entry_pb2
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import cancel, post, purchase, reverse, top_up
from tests.integration.points.running import Caller


async def some_history(caller: Caller, member: UUID) -> None:
    """Top-up, three purchases of which one is reversed and one moves nothing, a fence."""
    await caller.call("TopUp", top_up(member, 50_000))
    dinner = uuid4()
    await caller.call("Post", post(purchase(member, 20_000, stored=10_600), dinner))
    await caller.call("Post", post(purchase(member, 50)))
    await caller.call("Post", post(purchase(member, 15_000, points=150)))
    await caller.call("Reverse", reverse(member, dinner))
    await caller.call("CancelPost", cancel(member, uuid4()))


def test_a_statement_is_paged_newest_first_and_leaves_out_what_moved_nothing(serve: Serve) -> None:
    async def read() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            await some_history(caller, member)
            entries: list[entry_pb2.Entry] = []
            token = ""
            while True:
                request = pb.ListEntriesRequest(
                    member_id=str(member), page_size=3, page_token=token
                )
                page = await caller.call("ListEntries", request)
                entries += page.entries
                token = page.next_page_token
                if not token:
                    break
            assert [entry.entry_id for entry in entries] == ["5", "4", "2", "1"]
            kinds = [entry_pb2.EntryKind.Name(entry.kind)[11:] for entry in entries]
            assert kinds == ["REVERSAL", "CHECKOUT", "CHECKOUT", "TOP_UP"]
            assert (entries[3].cash_minor, entries[3].bonus_minor) == (50_000, 3_000)
            assert (entries[2].cash_minor, entries[2].bonus_minor) == (-10_000, -600)
            assert (entries[2].points, entries[1].points) == (194, 148 - 150)
            assert (entries[0].cash_minor, entries[0].bonus_minor) == (10_000, 600)
            early = pb.ListEntriesRequest(member_id=str(member), until=entries[3].posted_at)
            assert list((await caller.call("ListEntries", early)).entries) == entries[3:]

    asyncio.run(read())


def test_a_page_token_of_another_query_or_a_changed_one_is_refused(serve: Serve) -> None:
    async def forge() -> None:
        async with serve() as points:
            caller, member = points.caller(), uuid4()
            await some_history(caller, member)
            request = pb.ListEntriesRequest(member_id=str(member), page_size=1)
            token = (await caller.call("ListEntries", request)).next_page_token
            changed = ("A" if token[0] != "A" else "B") + token[1:]
            for other, page_token in (
                (uuid4(), token),
                (member, changed),
                (member, "nonsense"),
                (member, "不"),
            ):
                request = pb.ListEntriesRequest(member_id=str(other), page_token=page_token)
                with pytest.raises(Refusal) as refused:
                    await caller.call("ListEntries", request)
                assert refused.value.reason == "PAGE_TOKEN_INVALID"

    asyncio.run(forge())


def test_the_books_balance_and_a_tampered_balance_lot_or_debt_names_its_member(
    serve: Serve, ledger_url: str
) -> None:
    async def verify() -> None:
        async with serve() as points:
            operator = points.caller("operator")
            members = sorted(uuid4() for _ in range(5))
            for member in members:
                await some_history(points.caller(), member)
            books = await operator.call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced
            assert (books.checkouts_posted, books.checkouts_reversed) == (15, 5)
            assert books.checkouts_cancelled == 5
            for asset in books.assets:
                houses = sum(total.balance for total in asset.house_totals)
                assert asset.member_balances + houses == 0
                assert asset.member_balances == asset.open_lots == asset.member_postings
            points_asset = books.assets[0]
            assert (points_asset.member_balances, points_asset.debt) == (0, 5 * (194 - 192))
            with psycopg.connect(ledger_url) as connection:
                for statement, member in (
                    ("UPDATE members SET cash_minor = cash_minor + 1", members[0]),
                    ("UPDATE members SET points_debt = points_debt + 1", members[2]),
                    ("UPDATE lots SET remaining = remaining - 1, amount = amount", members[4]),
                ):
                    condition = " AND asset = 'BONUS'" if "lots" in statement else ""
                    connection.execute(
                        f"{statement} WHERE member_id = %s{condition}".encode(), (member,)
                    )
            books = await operator.call("VerifyBooks", pb.VerifyBooksRequest())
            assert not books.balanced
            assert sorted(books.differing_member_ids) == [str(members[at]) for at in (0, 2, 4)]
            assert [asset.members_differing for asset in books.assets] == [1, 1, 1]

    asyncio.run(verify())


def test_a_member_whose_row_has_gone_is_inserted_anew(serve: Serve, ledger_url: str) -> None:
    async def lose_one() -> None:
        async with serve() as points:
            caller, member, other = points.caller(), uuid4(), uuid4()
            await caller.call("TopUp", top_up(other, 50_000))
            with pytest.raises(Refusal) as refused:  # nothing but the row is left of it
                await caller.call("Post", post(purchase(member, 20_000, points=100)))
            assert refused.value.reason == "INSUFFICIENT_POINTS"
            with psycopg.connect(ledger_url, autocommit=True) as connection:
                gone = connection.execute("DELETE FROM members WHERE member_id = %s", (member,))
                assert gone.rowcount == 1
            items = [
                pb.BatchPostItem(request=post(purchase(each, 10_000))) for each in (member, other)
            ]
            answer = await caller.call("BatchPost", pb.BatchPostRequest(items=items))
            versions = [each.response.posted.balances.member_version for each in answer.outcomes]
            assert versions == [1, 2]
            books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced

    asyncio.run(lose_one())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE postings SET amount = amount + 1",
        "DELETE FROM postings",
        "TRUNCATE postings",
        "UPDATE programmes SET valid_from = now()",
        "UPDATE members SET points = -1",
        "UPDATE lots SET remaining = amount + 1",
        "UPDATE lots SET remaining = 0",
        "UPDATE checkouts SET version = NULL",
    ],
)
def test_the_database_itself_refuses_what_must_never_be(
    serve: Serve, ledger_url: str, statement: str
) -> None:
    async def post_one() -> None:
        async with serve() as points:
            await points.caller().call("Post", post(purchase(uuid4(), 10_000)))

    asyncio.run(post_one())
    with psycopg.connect(ledger_url) as connection, pytest.raises(psycopg.errors.IntegrityError):
        connection.execute(statement.encode())
