"""Opening balances streamed in, against real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import entry_pb2
from huitouke.points.v1 import import_service_pb2 as imports_pb
from huitouke.points.v1 import points_service_pb2 as pb
from huitouke.points.v1.events_pb2 import BalanceImported

from chassis.kernel import Refusal
from tests.integration.points.conftest import Serve
from tests.integration.points.importing import (
    EARNED,
    EXPIRES,
    messages,
    opening,
    progress,
    rejected,
    send,
)
from tests.integration.points.requests import post, purchase
from tests.integration.points.running import Caller, Points
from tests.waiting import wait_until, wait_until_async

CASH, BONUS = entry_pb2.ASSET_CASH, entry_pb2.ASSET_BONUS
NOW = datetime.now(UTC)
STILL_POLLS = 25


def members_of(url: str) -> dict[UUID, int]:
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT member_id, points FROM members").fetchall())


async def verified(points: Points) -> bool:
    operator = points.caller("operator")
    return bool((await operator.call("VerifyBooks", pb.VerifyBooksRequest())).balanced)


def test_rows_become_lots_with_events_and_stand_on_the_statement(
    serve: Serve, ledger_url: str
) -> None:
    async def scenario() -> None:
        async with serve() as points:
            operator, import_id, member = points.caller("operator"), uuid4(), uuid4()
            rows = [
                opening(2, member),
                opening(3, member, asset=CASH, expires_at=None),
                opening(4, member, asset=BONUS),
            ]
            answer = await send(operator, messages(import_id, rows, size=2))
            assert answer == imports_pb.ImportOpeningBalancesResponse(
                rows_imported=3, acknowledged_line=4
            )
            asked = pb.GetBalancesRequest(member_id=str(member))
            balances = (await operator.call("GetBalances", asked)).balances
            assert (balances.points, balances.cash_minor, balances.bonus_minor) == (102, 103, 104)
            assert balances.next_expiry.ToDatetime(tzinfo=UTC) == EXPIRES
            listed = pb.ListEntriesRequest(member_id=str(member))
            entries = (await operator.call("ListEntries", listed)).entries
            assert {entry.kind for entry in entries} == {entry_pb2.ENTRY_KIND_IMPORT}
            assert {entry.reference_id for entry in entries} == {str(import_id)}
            with psycopg.connect(ledger_url) as connection:
                rows_told = connection.execute("SELECT payload FROM outbox ORDER BY seq").fetchall()
            event = BalanceImported.FromString(rows_told[0][0])
            assert (event.import_id, event.reference) == (str(import_id), "OLD-2")
            assert event.earned_at.ToDatetime(tzinfo=UTC) == EARNED
            assert await verified(points)

    asyncio.run(scenario())


def test_wrong_rows_are_rejected_with_line_and_reason_and_the_whole_goes_on(serve: Serve) -> None:
    past, future = NOW - timedelta(days=1), NOW + timedelta(days=1)
    wrong = {
        3: (opening(3, amount=0), "INVALID_FIELD"),
        4: (opening(4, amount=10**12 + 1), "INVALID_FIELD"),
        5: (opening(5, member_id="somebody"), "INVALID_FIELD"),
        6: (opening(6, asset=0), "INVALID_FIELD"),
        7: (opening(7, reference="a\0b"), "INVALID_FIELD"),
        8: (opening(8, reference=""), "INVALID_FIELD"),
        9: (opening(9, earned_at=None), "INVALID_FIELD"),
        10: (opening(10, expires_at=past), "IMPORT_ROW_EXPIRED"),
        11: (opening(11, asset=CASH), "CASH_NEVER_EXPIRES"),
        12: (opening(12, earned_at=future), "EARNED_IN_FUTURE"),
        13: (opening(13, asset=CASH, amount=500_001, expires_at=None), "BALANCE_LIMIT"),
        14: (opening(14, reference="OLD-2"), "IMPORT_REFERENCE_TAKEN"),
        15: (opening(15, reference="x" * 129), "INVALID_FIELD"),
    }

    async def scenario() -> None:
        async with serve() as points:
            operator, import_id = points.caller("operator"), uuid4()
            rows = [opening(2), *(row for row, _ in wrong.values()), opening(16)]
            answer = await send(operator, messages(import_id, rows))
            assert (answer.rows_imported, answer.rows_rejected) == (2, len(wrong))
            expected = [(line, reason) for line, (_, reason) in wrong.items()]
            assert [(each.line, each.reason) for each in answer.first_rejected] == expected
            assert await rejected(operator, import_id) == expected
            found = await progress(operator, import_id)
            assert (found.acknowledged_line, found.rows_imported) == (16, 2)
            assert found.rows_rejected == len(wrong)
            assert [(each.asset, each.rows, each.amount) for each in found.assets] == [
                (entry_pb2.ASSET_POINTS, 2, 102 + 116)
            ]
            mended = await send(operator, messages(import_id, [opening(3), opening(10)]))
            assert (mended.rows_imported, mended.rows_rejected) == (2, 0)
            left = [each for each in expected if each[0] not in (3, 10)]
            assert await rejected(operator, import_id) == left
            assert (await progress(operator, import_id)).acknowledged_line == 16

    asyncio.run(scenario())


def test_sending_everything_again_or_a_changed_row_doubles_nothing(
    serve: Serve, ledger_url: str
) -> None:
    async def scenario() -> None:
        async with serve() as points:
            operator, import_id = points.caller("operator"), uuid4()
            rows = [opening(line) for line in range(2, 702)]
            first = await send(operator, messages(import_id, rows, size=100))
            assert (first.rows_imported, first.acknowledged_line) == (700, 701)
            before = members_of(ledger_url)
            again = await send(operator, messages(import_id, rows, size=256))
            assert (again.rows_imported, again.rows_repeated) == (0, 700)
            rows[5].amount += 1
            changed = await send(operator, messages(import_id, rows[:10]))
            assert (changed.rows_repeated, changed.rows_rejected) == (9, 1)
            assert changed.first_rejected[0].reason == "IMPORT_ROW_DIFFERS"
            assert members_of(ledger_url) == before
            assert await verified(points)

    asyncio.run(scenario())


def test_two_streams_of_one_import_at_once_through_two_replicas_double_nothing(
    serve: Serve, ledger_url: str
) -> None:
    async def scenario() -> None:
        async with serve() as one, serve() as other:
            import_id, members = uuid4(), [uuid4() for _ in range(40)]
            rows = [opening(line, members[line % 40]) for line in range(1, 601)]
            answers = await asyncio.gather(
                *(
                    send(each.caller("operator"), messages(import_id, rows, size))
                    for each, size in ((one, 256), (other, 37), (one, 100))
                )
            )
            assert sum(each.rows_imported for each in answers) == 600
            assert sum(each.rows_repeated for each in answers) == 1_200
            assert sum(members_of(ledger_url).values()) == sum(row.amount for row in rows)
            assert await verified(one)

    asyncio.run(scenario())


def test_a_stream_that_breaks_is_gone_on_with_behind_the_acknowledged_line(
    serve: Serve, ledger_url: str
) -> None:
    async def scenario() -> None:
        async with serve() as points:
            operator, import_id = points.caller("operator"), uuid4()
            rows = [opening(line) for line in range(1, 1_001)]
            sent = asyncio.Event()

            async def breaking() -> AsyncIterator[Any]:
                for message in messages(import_id, rows[:600], size=50):
                    yield message
                sent.set()
                await asyncio.Event().wait()

            stream = asyncio.create_task(send(operator, breaking()))
            await sent.wait()
            reached = 0
            while not reached:
                with psycopg.connect(ledger_url) as connection:
                    found = connection.execute("SELECT acknowledged_line FROM imports").fetchone()
                reached = found[0] if found else 0
                await asyncio.sleep(0)
            stream.cancel()
            reached = (await progress(operator, import_id)).acknowledged_line
            assert reached in (256, 512)
            rest = [row for row in rows if row.line > reached]
            answer = await send(operator, messages(import_id, rest))
            assert answer.rows_imported + answer.rows_repeated == 1_000 - reached
            assert (await progress(operator, import_id)).rows_imported == 1_000
            assert sum(members_of(ledger_url).values()) == sum(row.amount for row in rows)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda all_: all_[1].rows[0].__setattr__("line", 3), "rows.line"),
        (lambda all_: all_[0].rows[0].__setattr__("line", 0), "rows.line"),
        (lambda all_: all_[1].__setattr__("import_id", str(uuid4())), "import_id"),
        (lambda all_: all_[1].__setattr__("import_id", "mine"), "import_id"),
        (lambda all_: all_[1].ClearField("rows"), "rows"),
    ],
)
def test_a_stream_that_contradicts_itself_is_refused(serve: Serve, change: Any, field: str) -> None:
    async def scenario() -> None:
        async with serve() as points:
            stream = list(messages(uuid4(), [opening(line) for line in range(2, 6)], size=2))
            change(stream)
            with pytest.raises(Refusal) as caught:
                await send(points.caller("operator"), iter(stream))
            assert caught.value.reason == "INVALID_FIELD"
            assert [each.field for each in caught.value.fields] == [field]

    asyncio.run(scenario())


def test_only_the_operator_imports_and_an_unknown_import_is_not_found(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as points:
            with pytest.raises(Refusal) as caught:
                await send(points.caller("gateway"), messages(uuid4(), [opening(1)]))
            assert caught.value.reason == "CALLER_NOT_ALLOWED"
            with pytest.raises(Refusal) as caught:
                await progress(points.caller("operator"), uuid4())
            assert caught.value.reason == "IMPORT_NOT_FOUND"

    asyncio.run(scenario())


def test_a_sender_is_held_back_while_the_ledger_is_busy(serve: Serve, ledger_url: str) -> None:
    """With a member locked nothing is decided, and the transport's window is all that fits."""

    async def scenario() -> None:
        async with serve() as points:
            caller, member, import_id = points.caller("operator"), uuid4(), uuid4()
            await points.caller().call("Post", post(purchase(member, 10_000)))
            sent = 0

            async def endless() -> AsyncIterator[Any]:
                nonlocal sent
                rows = (opening(line, member) for line in range(1, 10_000_000))
                for message in messages(import_id, rows):
                    sent += 1
                    yield message

            seen: list[int] = []

            async def stands_still() -> bool:
                seen.append(sent)
                return len(seen) > STILL_POLLS and len(set(seen[-STILL_POLLS:])) == 1

            with psycopg.connect(ledger_url) as lock:
                lock.execute("SELECT FROM members FOR UPDATE")
                stream = asyncio.create_task(send(caller, endless()))
                await asyncio.to_thread(_until_somebody_waits, ledger_url)
                await wait_until_async(stands_still, 20, "the sender is held back")
                assert not stream.done()
                stream.cancel()
                lock.rollback()

    asyncio.run(scenario())


def _until_somebody_waits(url: str) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(url, autocommit=True) as watcher:
        wait_until(lambda: watcher.execute(waiting).fetchone() != (0,), 20, "a batch waits")


def test_an_imported_balance_is_spent_like_any_other(serve: Serve) -> None:
    async def scenario() -> None:
        async with serve() as points:
            operator, member = points.caller("operator"), uuid4()
            await send(operator, messages(uuid4(), [opening(900, member)]))
            caller: Caller = points.caller()
            answer = await caller.call("Post", post(purchase(member, 10_000, points=1_000)))
            assert answer.posted.points_value_minor == 1_000
            assert answer.posted.balances.points == 90
            assert await verified(points)

    asyncio.run(scenario())
