"""The console script, as an operator starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
from huitouke.points.v1 import events_pb2
from kafka import KafkaConsumer

from chassis.clock import ManualClock
from chassis.messaging.creation import ensure_topics
from chassis.messaging.topics import topic_of
from tests.integration.points.requests import post, purchase
from tests.integration.points.running import REQUEST_KEY, migrated, running
from tests.waiting import wait_until

PROGRAM = [sys.executable, "-c", "from services.points.main import main; main()"]


def environment(database_url: str, certificates: Path, **changes: str) -> dict[str, str]:
    settings = {
        "HUITOUKE_MODE": "development",
        "HUITOUKE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "HUITOUKE_POINTS_LISTEN": "127.0.0.1:0",
        "HUITOUKE_POINTS_METRICS_LISTEN": "off",
        "HUITOUKE_POINTS_DRAIN_PAUSE_SECONDS": "0",
        "HUITOUKE_POINTS_DATABASE_URL": database_url,
        "HUITOUKE_POINTS_TLS_CERTIFICATE_FILE": str(certificates / "points.pem"),
        "HUITOUKE_POINTS_TLS_KEY_FILE": str(certificates / "points.key"),
        "HUITOUKE_POINTS_TLS_CA_FILE": str(certificates / "ca.pem"),
        "HUITOUKE_POINTS_REQUEST_KEY": b64encode(REQUEST_KEY).decode(),
    }
    return {"PATH": os.environ["PATH"]} | settings | changes


def run(role: str, settings: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, role, *options],
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_migrating_makes_the_ledger_with_the_default_programme_and_again_changes_nothing(
    empty_database_url: str, certificates: Path
) -> None:
    settings = environment(empty_database_url, certificates)
    for _ in range(2):
        done = run("migrate", settings)
        assert done.returncode == 0, done.stderr
    with psycopg.connect(empty_database_url) as connection:
        rows = connection.execute("SELECT version, valid_from FROM programmes").fetchall()
    assert rows == [(1, datetime(2000, 1, 1, tzinfo=UTC))]


def test_all_that_is_missing_is_named_at_once(database_url: str, certificates: Path) -> None:
    settings = environment(database_url, certificates)
    del settings["HUITOUKE_POINTS_DATABASE_URL"], settings["HUITOUKE_POINTS_REQUEST_KEY"]
    refused = run("serve", settings)
    assert refused.returncode == 2
    assert "HUITOUKE_POINTS_DATABASE_URL: missing" in refused.stderr
    assert "HUITOUKE_POINTS_REQUEST_KEY: missing" in refused.stderr


def test_the_work_role_expires_what_is_due_for_members_who_stay_away(
    database_url: str, certificates: Path
) -> None:
    migrated(database_url)
    member, long_ago = uuid4(), ManualClock(datetime.now(UTC) - timedelta(days=900))

    async def dine() -> None:
        async with running(database_url, certificates, clock=long_ago) as points:
            bought = purchase(member, 10_000, occurred_at=long_ago.now())
            await points.caller().call("Post", post(bought))

    asyncio.run(dine())
    worker = subprocess.Popen([*PROGRAM, "work"], env=environment(database_url, certificates))
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            read = "SELECT points FROM members WHERE points = 0"
            wait_until(lambda: connection.execute(read).fetchone(), 30, "the points expire")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    finally:
        worker.kill()


def test_the_relay_publishes_a_checkout_under_the_members_id(
    database_url: str, certificates: Path, kafka_bootstrap: str, topic_prefix: str
) -> None:
    settings = environment(
        database_url,
        certificates,
        HUITOUKE_KAFKA_BOOTSTRAP=kafka_bootstrap,
        HUITOUKE_TOPIC_PREFIX=topic_prefix,
    )
    migrated(database_url)
    topic, member = topic_of("points", topic_prefix), uuid4()
    ensure_topics(kafka_bootstrap, [topic])

    async def dine() -> None:
        async with running(database_url, certificates) as points:
            await points.caller().call("Post", post(purchase(member, 10_000)))

    asyncio.run(dine())
    relay = subprocess.Popen([*PROGRAM, "relay"], env=settings)
    try:
        consumer = KafkaConsumer(
            topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest"
        )
        records = wait_until(
            lambda: [r for rs in consumer.poll(200).values() for r in rs], 30, "the event arrives"
        )
        consumer.close()
        relay.send_signal(signal.SIGTERM)
        assert relay.wait(30) == 0
    finally:
        relay.kill()
    (record,) = records
    assert record.key.decode() == str(member)
    headers = dict(record.headers)
    assert headers["ce_type"] == b"huitouke.points.v1.CheckoutPosted"
    assert headers["ce_memberversion"] == b"1"
    event = events_pb2.CheckoutPosted.FromString(record.value)
    assert (event.member_id, event.posted.points_earned) == (str(member), 100)
