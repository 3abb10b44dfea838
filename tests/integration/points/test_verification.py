"""What `verify` finds when tables were tampered with, whom it names, and that it runs online."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from time import monotonic
from uuid import UUID, uuid4

import psycopg
import pytest
from huitouke.points.v1 import points_service_pb2 as pb

from chassis.kernel import Refusal
from chassis.storage.engine import create_engine
from services.points.domain.verification import Verification
from services.points.storage.reports.ranges import stop_at
from services.points.storage.reports.verification import Progress, verify
from services.points.storage.reports.versions import VersionCheck
from tests.integration.points.conftest import Serve
from tests.integration.points.requests import post, purchase, top_up
from tests.integration.points.test_books import some_history
from tests.integration.points.test_roles import environment, run

MEMBERS = sorted(uuid4() for _ in range(5))
VICTIM = MEMBERS[2]
INVENTED_POSTING = """
INSERT INTO postings (member_id, version, line, kind, asset, house, lot_number, amount,
                      balance_after, basis_minor, posted_at, reference_id, programme_version, rule)
VALUES (%(member)s, 6, 1, 'CHECKOUT', 'CASH', 'CASH_IN', 1, 5, 50005, 0, now(),
        gen_random_uuid(), 1, '')
"""
INVENTED_LOT = """
INSERT INTO lots (member_id, lot_number, asset, open, amount, remaining, expired, earned_at)
VALUES (%(member)s, 99, 'CASH', true, 5, 5, 0, now())
"""
TAMPERINGS = {
    "a changed balance": (
        "UPDATE members SET cash_minor = cash_minor + 1 WHERE member_id = %(member)s",
        {"BALANCE"},
    ),
    "a changed debt": (
        "UPDATE members SET points_debt = points_debt + 1 WHERE member_id = %(member)s",
        {"DEBT"},
    ),
    "a changed lot": (
        "UPDATE lots SET remaining = remaining - 1 WHERE member_id = %(member)s AND lot_number = 1",
        {"LOT"},
    ),
    "a changed size of a lot": (
        "UPDATE lots SET amount = amount + 1 WHERE member_id = %(member)s AND lot_number = 1",
        {"LOT_AMOUNT"},
    ),
    "a changed expired part of a lot": (
        "UPDATE lots SET expired = 1 WHERE member_id = %(member)s AND lot_number = 2",
        {"LOT_EXPIRED"},
    ),
    "an invented lot": (INVENTED_LOT, {"LOT_INVENTED"}),
    "a missing lot": (
        "DELETE FROM lots WHERE member_id = %(member)s AND lot_number = 1",
        {"LOT_MISSING"},
    ),
    "a changed expiry": (
        "UPDATE members SET bonus_next_expiry = now() WHERE member_id = %(member)s",
        {"NEXT_EXPIRY"},
    ),
    "a missing posting": (
        "DELETE FROM postings WHERE member_id = %(member)s AND version = 2 AND asset = 'CASH'",
        {"BALANCE", "LOT", "BALANCE_AFTER", "LINE", "RECORD"},
    ),
    "a missing posting of earned points": (
        "DELETE FROM postings WHERE member_id = %(member)s AND version = 4 AND amount = 148",
        {"BALANCE", "LOT", "LOT_AMOUNT", "BALANCE_AFTER"},
    ),
    "a missing last posting": (
        "DELETE FROM postings WHERE member_id = %(member)s AND version = 5 "
        "AND lot_number IS NULL AND amount < 0",
        {"BALANCE", "OUTSIDE_LOTS"},
    ),
    "a missing entry": (
        "DELETE FROM postings WHERE member_id = %(member)s AND version = 1",
        {"BALANCE", "LOT", "LOT_AMOUNT", "BALANCE_AFTER", "RECORD"},
    ),
    "a changed posting": (
        "UPDATE postings SET amount = amount + 1 WHERE member_id = %(member)s AND version = 1 "
        "AND asset = 'CASH'",
        {"BALANCE", "LOT", "LOT_AMOUNT", "BALANCE_AFTER", "RECORD"},
    ),
    "a posting taken out of its lot": (
        "UPDATE postings SET lot_number = NULL WHERE member_id = %(member)s AND version = 1 "
        "AND asset = 'BONUS'",
        {"OUTSIDE_LOTS", "LOT", "LOT_AMOUNT"},
    ),
    "an invented posting": (
        INVENTED_POSTING,
        {"BALANCE", "LOT", "LOT_AMOUNT", "VERSION"},
    ),
    "a posting dated back": (
        "UPDATE postings SET posted_at = posted_at - interval '1 day' "
        "WHERE member_id = %(member)s AND version = 4",
        {"ORDER"},
    ),
    "a lowered version": (
        "UPDATE members SET version = 4 WHERE member_id = %(member)s",
        {"VERSION"},
    ),
    "a missing record of a purchase that moved nothing": (
        "DELETE FROM checkouts WHERE member_id = %(member)s AND version = 3",
        {"VERSION"},
    ),
    "a changed top-up": (
        "UPDATE top_ups SET cash_minor = cash_minor + 1 WHERE member_id = %(member)s",
        {"RECORD"},
    ),
    "a changed checkout": (
        "UPDATE checkouts SET bill_minor = bill_minor + 1 "
        "WHERE member_id = %(member)s AND version = 4",
        {"RECORD"},
    ),
    "a changed reversal": (
        "UPDATE reversals SET debt_recorded = 0 WHERE member_id = %(member)s",
        {"RECORD"},
    ),
}


def fill(serve: Serve) -> None:
    """Histories of five members, of which each has five versions, the third without an entry."""

    async def live() -> None:
        async with serve() as points:
            for member in MEMBERS:
                await some_history(points.caller(), member)

    asyncio.run(live())


def verified(url: str, progress: Progress = lambda _: None, range_rows: int = 2) -> Verification:
    engine = create_engine(url, application_name="test-verify")
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = verify(connection, progress, range_rows)
    engine.dispose()
    return found


def tamper(url: str, statement: str, member: UUID) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        changed = connection.execute(statement.encode(), {"member": member})
        assert changed.rowcount > 0


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_was_tampered_with_is_named_with_its_member_and_nothing_else_is(
    what: str, serve: Serve, ledger_url: str
) -> None:
    fill(serve)
    assert verified(ledger_url).balanced
    statement, kinds = TAMPERINGS[what]
    tamper(ledger_url, statement, VICTIM)
    found = verified(ledger_url)
    assert not found.balanced
    assert found.differing_members() == [VICTIM]
    assert {difference.kind for difference in found.differences} == kinds


def test_a_difference_says_what_is_stored_and_what_the_postings_say(
    serve: Serve, ledger_url: str
) -> None:
    fill(serve)
    tamper(ledger_url, TAMPERINGS["a changed lot"][0], VICTIM)
    (difference,) = verified(ledger_url).differences
    assert difference == ("LOT", VICTIM, "CASH", 1, None, "49999", "50000")


def test_postings_of_a_member_without_a_row_are_found(serve: Serve, ledger_url: str) -> None:
    fill(serve)
    stranger = uuid4()
    tamper(ledger_url, INVENTED_POSTING, stranger)
    found = verified(ledger_url)
    assert found.differing_members() == [stranger]
    kinds = {difference.kind for difference in found.differences}
    assert kinds == {"BALANCE", "BALANCE_AFTER", "LOT_MISSING", "VERSION"}


def test_the_same_is_found_by_ranges_of_any_size(serve: Serve, ledger_url: str) -> None:
    fill(serve)
    for member, what in zip(MEMBERS, TAMPERINGS, strict=False):
        tamper(ledger_url, TAMPERINGS[what][0], member)
    whole = verified(ledger_url, range_rows=1000)
    assert len(whole.differing_members()) == 5
    for rows in (1, 2, 5):
        by_ranges = verified(ledger_url, range_rows=rows)
        assert sorted(by_ranges.differences) == sorted(whole.differences)
        assert by_ranges.assets == whole.assets
        assert by_ranges.looked == whole.looked


def test_versions_without_entries_are_explained_however_few_are_looked_up_together(
    serve: Serve, ledger_url: str
) -> None:
    fill(serve)
    tamper(ledger_url, TAMPERINGS["a missing record of a purchase that moved nothing"][0], VICTIM)
    engine = create_engine(ledger_url, application_name="test-verify")
    with engine.connect() as connection:
        from services.points.storage.reports import ranges

        driver = ranges.begin(connection)
        check = VersionCheck(driver, together_max=1)
        found = [
            difference
            for keys in ranges.member_ranges(driver, 1)
            for difference in check.look_at(keys)
        ]
        found += check.finish()
    engine.dispose()
    assert [(each.member_id, each.version) for each in found] == [(VICTIM, 3)]


def test_the_books_are_verified_while_the_service_goes_on_writing(
    serve: Serve, ledger_url: str
) -> None:
    async def live() -> None:
        async with serve() as points:
            caller = points.caller()
            for member in MEMBERS:
                await some_history(caller, member)
            loop, written = asyncio.get_running_loop(), []

            async def write() -> None:
                for member in (*MEMBERS, uuid4()):
                    written.append(await caller.call("Post", post(purchase(member, 10_000))))
                    await caller.call("TopUp", top_up(member, 100))

            def between_ranges(_: object) -> None:
                asyncio.run_coroutine_threadsafe(write(), loop).result(30)

            found = await asyncio.to_thread(verified, ledger_url, between_ranges)
            assert written
            assert found.balanced
            assert (found.looked.members, found.checkouts_posted) == (5, 15)
            books = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            assert books.balanced
            assert books.checkouts_posted == 15 + len(written)

    asyncio.run(live())


def test_a_verification_ends_with_its_callers_deadline() -> None:
    stop_at(monotonic() + 60)()
    with pytest.raises(Refusal) as refused:
        stop_at(monotonic() - 1)()
    assert refused.value.reason == "DEADLINE_PASSED"


def test_the_rpc_names_the_differences(serve: Serve, ledger_url: str) -> None:
    fill(serve)
    tamper(ledger_url, TAMPERINGS["an invented lot"][0], VICTIM)

    async def ask() -> pb.VerifyBooksResponse:
        async with serve() as points:
            answer = await points.caller("operator").call("VerifyBooks", pb.VerifyBooksRequest())
            assert isinstance(answer, pb.VerifyBooksResponse)
            return answer

    books = asyncio.run(ask())
    assert not books.balanced
    assert books.differing_member_ids == [str(VICTIM)]
    assert books.differences_found == 1
    (difference,) = books.differences
    assert (difference.lot_number, difference.stored, difference.recomputed) == (99, "5", "")


def test_the_console_role_ends_with_0_or_1_and_says_what_differs(
    serve: Serve, ledger_url: str, certificates: Path
) -> None:
    fill(serve)
    settings = environment(ledger_url, certificates)
    well = run("verify", settings)
    assert well.returncode == 0, well.stderr
    assert well.stdout.splitlines()[-1].startswith("balanced: 5 members, 20 lots, ")
    assert "verify: 5 members" in well.stderr
    tamper(ledger_url, TAMPERINGS["a changed lot"][0], VICTIM)
    wrong = run("verify", settings)
    assert wrong.returncode == 1
    told = f"LOT: member {VICTIM} CASH lot 1: stored 49999, recomputed 50000"
    assert told in wrong.stdout.splitlines()
    as_json = run("verify", settings, "--json")
    assert as_json.returncode == 1
    answer = json.loads(as_json.stdout)
    assert not answer["balanced"]
    assert answer["looked_at"]["members"] == 5
    (difference,) = answer["differences"]
    assert difference == {
        "kind": "LOT",
        "member_id": str(VICTIM),
        "asset": "CASH",
        "lot_number": 1,
        "version": None,
        "stored": "49999",
        "recomputed": "50000",
    }
