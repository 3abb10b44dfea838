"""Privacy: nothing personal in clear in any table, event, log or error; keys rotate in service."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from huitouke.member.v1 import member_pb2, member_service_pb2
from psycopg import sql

from chassis.security import KeyRing
from chassis.storage.engine import create_engine
from services.member.storage.resealing import reseal
from tests.integration.member.requests import enrolment, mobile
from tests.integration.member.running import Caller, caller_at, migrated, refusal_of, running
from tests.integration.member.test_roles import PROGRAM, environment
from tests.waiting import wait_until

K1 = KeyRing("k1", {"k1": b"1" * 32})
BOTH_OLD_ACTIVE = KeyRing("k1", {"k1": b"1" * 32, "k2": b"2" * 32})
ONLY_NEW = KeyRing("k2", {"k2": b"2" * 32})
BOTH_NEW_ACTIVE = KeyRing("k2", {"k1": b"1" * 32, "k2": b"2" * 32})
NAME, EMAIL, BIRTHDAY = "虚构贵宾", "synthetic.guest@example.com", (1988, 8, 18)


def everything_stored(database_url: str) -> str:
    """Every row of every table as text, binary columns also decoded as far as they are text."""
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        parts = []
        for (table,) in tables:
            query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
            for row in connection.execute(query).fetchall():
                parts += [as_text(value) for value in row]
        return "\n".join(parts)


def as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace") + value.hex()
    return str(value)


def traces_of(text: str, secrets: dict[str, str]) -> list[str]:
    """Which secrets appear in a text, plain or as the hex of their bytes."""
    return [
        what
        for what, secret in secrets.items()
        if secret in text or secret.encode().hex() in text or secret.lower() in text.lower()
    ]


def naming(**identifier: str) -> member_service_pb2.FindMemberRequest:
    return member_service_pb2.FindMemberRequest(identifier=member_pb2.Identifier(**identifier))


async def exercise(caller: Caller) -> dict[str, str]:
    """Call every RPC about one guest, refusals and a defect included; returns what is personal."""
    guest = enrolment(1, request_id="guest", name=NAME, email=EMAIL)
    year, month, day = BIRTHDAY
    guest.birthday.CopyFrom(member_pb2.Birthday(year=year, month=month, day=day))
    answer = await caller.call("Enrol", guest)
    await caller.call("Enrol", guest)
    member_id, number = answer.member.member_id, answer.issued_card.number
    replacement = member_service_pb2.ReplaceCardRequest(
        request_id="replace",
        member_id=member_id,
        reason=member_service_pb2.REPLACEMENT_REASON_LOST,
    )
    replaced = await caller.call("ReplaceCard", replacement)
    refused_calls = [
        caller.call("Enrol", enrolment(1, name=NAME)),
        caller.call("Enrol", enrolment(2, name=NAME, email=EMAIL)),
        caller.call("Enrol", enrolment(1, name=NAME, mobile="+8612345678901")),
        caller.call("Enrol", enrolment(4, name=NAME, home_property="DEFECT")),
        caller.call("Enrol", enrolment(3, request_id="guest")),
        caller.call("FindMember", naming(card_number=number)),
        caller.call("FindMember", naming(mobile="+8612345678901")),
    ]
    refusals = [await refusal_of(call) for call in refused_calls]
    secrets = {
        "name": NAME,
        "mobile": guest.mobile.removeprefix("+86"),
        "mobile of a defect": mobile(4).removeprefix("+86"),
        "e-mail": EMAIL,
        "birthday": f"{year}{month:02d}{day:02d}",
        "card number": number,
        "new card number": replaced.issued_card.number,
    }
    assert not traces_of("\n".join(map(repr, refusals)), secrets)
    assert not traces_of("\n".join(str(refusal.metadata) for refusal in refusals), secrets)
    return secrets


def test_nothing_personal_is_in_any_table_event_log_or_error(
    database_url: str, certificates: Path
) -> None:
    migrated(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE members ADD CHECK (home_property <> 'DEFECT')")
    settings = environment(database_url, certificates, HUITOUKE_LOG_LEVEL="debug")
    server = subprocess.Popen([*PROGRAM, "serve"], env=settings, stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(server.stderr or ()), daemon=True)
    reader.start()
    try:
        port = wait_until(lambda: port_in(lines), 60, "the server says its port")
        secrets = asyncio.run(call_over_the_wire(port, certificates))
    finally:
        server.terminate()
        server.wait(30)
        reader.join(10)
    log = "".join(lines)
    assert log.count("/huitouke.member.v1.MemberService/Enrol") >= 7
    assert "CheckViolation" in log
    assert traces_of(log, secrets) == []
    stored = everything_stored(database_url)
    assert "huitouke.member.v1.MemberEnrolled" in stored
    assert "REQUEST_ID_REUSED" not in stored
    assert traces_of(stored, secrets) == []


def port_in(lines: list[str]) -> int:
    for line in list(lines):
        if line.startswith("{") and json.loads(line).get("event") == "serving":
            return int(json.loads(line)["port"])
    return 0


async def call_over_the_wire(port: int, certificates: Path) -> dict[str, str]:
    caller = caller_at(port, certificates)
    try:
        return await exercise(caller)
    finally:
        await caller.channel.close()


def test_keys_rotate_while_replicas_of_both_settings_serve(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> None:
        url = migrated(database_url)
        first = enrolment(1)
        async with running(url, certificates, ring=K1) as member:
            answer = await member.caller().call("Enrol", first)
        async with (
            running(url, certificates, ring=BOTH_OLD_ACTIVE) as old,
            running(url, certificates, ring=BOTH_NEW_ACTIVE) as new,
        ):
            second = await new.caller().call("Enrol", enrolment(2))
            third = await old.caller().call("Enrol", enrolment(3))
            for replica in (old, new):
                for enrolled in (answer, second, third):
                    assert await found(replica.caller(), enrolled) == enrolled.member
            again = await new.caller().call("Enrol", first)
            assert again.member == answer.member
            taken = await refusal_of(new.caller().call("Enrol", enrolment(1)))
            assert taken.metadata == {"member_id": answer.member.member_id}

    asyncio.run(scenario())


async def found(caller: Caller, enrolled: Any) -> member_pb2.Member:
    request = naming(card_number=enrolled.issued_card.number)
    return (await caller.call("FindMember", request)).member  # type: ignore[no-any-return]


def test_after_resealing_the_old_key_is_needed_no_more(
    database_url: str, certificates: Path
) -> None:
    async def enrol() -> list[Any]:
        async with running(migrated(database_url), certificates, ring=K1) as member:
            batch = member_service_pb2.BatchEnrolRequest()
            for number in range(64):
                guest = enrolment(number, email=f"g{number}@example.com" if number % 2 else "")
                batch.items.add().request.CopyFrom(guest)
            outcomes = (await member.caller().call("BatchEnrol", batch)).outcomes
            return [outcome.response for outcome in outcomes]

    async def all_found(enrolled: list[Any]) -> None:
        async with running(database_url, certificates, ring=ONLY_NEW) as member:
            for each in enrolled:
                assert await found(member.caller(), each) == each.member

    enrolled = asyncio.run(enrol())
    changed = environment(
        database_url, certificates, HUITOUKE_MEMBER_KEY_RING=BOTH_NEW_ACTIVE.to_json()
    )
    done = subprocess.run([*PROGRAM, "reseal"], env=changed, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    asyncio.run(all_found(enrolled))
    engine = create_engine(database_url, application_name="test-reseal")
    assert sum(rows for _, rows in reseal(engine, BOTH_NEW_ACTIVE)) == 0
    engine.dispose()


@pytest.mark.parametrize("column", ["name", "mobile"])
def test_a_field_moved_to_another_members_row_is_a_defect_and_never_shown(
    database_url: str, certificates: Path, column: str
) -> None:
    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as member:
            desk = member.caller()
            one, other = [await desk.call("Enrol", enrolment(number)) for number in (1, 2)]
            swap = sql.SQL(
                "UPDATE members SET {column} = (SELECT {column} FROM members WHERE member_id = %s) "
                "WHERE member_id = %s"
            ).format(column=sql.Identifier(column))
            with psycopg.connect(database_url) as connection:
                connection.execute(swap, (other.member.member_id, one.member.member_id))
            assert (await refusal_of(found(desk, one))).reason == "INTERNAL"
            assert await found(desk, other) == other.member
            request = member_service_pb2.BatchResolveRequest()
            for each in (one, other):
                request.identifiers.add(card_number=each.issued_card.number)
            damaged, whole = (await desk.call("BatchResolve", request)).outcomes
            assert damaged.HasField("error") == (column == "name")
            assert whole.resolution.member_id == other.member.member_id
            wanted = member_service_pb2.BatchGetContactsRequest(
                member_ids=[one.member.member_id, other.member.member_id]
            )
            (contact,) = (await member.caller("notify").call("BatchGetContacts", wanted)).contacts
            assert contact.member_id == other.member.member_id

    asyncio.run(scenario())
