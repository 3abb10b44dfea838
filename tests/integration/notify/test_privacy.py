"""No name, number, address or text of a message in any table, event or log."""

from __future__ import annotations

import asyncio

import psycopg
from huitouke.member.v1 import member_pb2
from psycopg import sql

from tests.integration.member.requests import mobile
from tests.integration.notify.facts import enrolled, paid
from tests.integration.notify.running import (
    Places,
    environment,
    process_of,
    received,
    world_of,
)

NAME, EMAIL, NUMBER = "虚构贵宾", "synthetic.guest@example.com", 51


def _everything_stored(database_url: str) -> str:
    """Every row of every table but the templates, binary columns as text and as hex."""
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = 'public' AND table_name <> 'templates'"
        ).fetchall()
        return "\n".join(
            value.decode(errors="replace") + value.hex() if isinstance(value, bytes) else str(value)
            for (table,) in tables
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            for value in row
        )


def test_nothing_personal_is_kept_or_logged_even_when_providers_refuse(places: Places) -> None:
    async def scenario() -> tuple[str, str]:
        async with world_of(places) as world:
            guest = await world.enrol(NUMBER, name=NAME, email=EMAIL, title=member_pb2.TITLE_MR)
            settings = environment(places, world.member_port, HUITOUKE_LOG_LEVEL="debug")
            process = await process_of("work", settings)
            places.smsc.behave(refuse_next=1, refuse_with="ESME_RSYSERR")
            world.tell(received(guest, enrolled(guest)), received(guest, paid(guest)))
            await world.until("DELIVERED", "DELIVERED", "SENT")
            places.smsc.behave(refuse="ESME_RINVDSTADR")
            places.mail.stop()
            world.tell(received(guest, paid(guest)))
            await world.until("DELIVERED", "DELIVERED", "SENT", "FAILED")
            process.terminate()
            out, errors = await process.communicate()
            assert process.returncode == 0
            return (out + errors).decode(), _everything_stored(places.database_url)

    log, stored = asyncio.run(scenario())
    assert log
    personal = (NAME, EMAIL, "synthetic", mobile(NUMBER).removeprefix("+"), "尊敬的", "先生")
    forms = [form for each in personal for form in (each, each.encode().hex(), ascii(each)[1:-1])]
    assert [form for form in forms if form in log] == []
    assert [form for form in forms if form in stored] == []
