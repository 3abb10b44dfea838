"""The console script, as an operator starts it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from pathlib import Path

import pytest
from huitouke.member.v1 import events_pb2
from kafka import KafkaConsumer

from chassis.messaging.creation import ensure_topics
from chassis.messaging.topics import topic_of
from chassis.security import KeyRing, development_key_ring
from tests.integration.member.requests import enrolment
from tests.integration.member.running import INDEX_KEY, REQUEST_KEY, migrated, running
from tests.remembering import (
    remember_an_old_and_a_young_one,
    remembered,
    two_replicas_at_work,
)
from tests.waiting import wait_until

PROGRAM = [sys.executable, "-c", "from services.member.main import main; main()"]


def environment(database_url: str, certificates: Path, **changes: str) -> dict[str, str]:
    settings = {
        "HUITOUKE_MODE": "development",
        "HUITOUKE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "HUITOUKE_MEMBER_LISTEN": "127.0.0.1:0",
        "HUITOUKE_MEMBER_METRICS_LISTEN": "off",
        "HUITOUKE_MEMBER_DRAIN_PAUSE_SECONDS": "0",
        "HUITOUKE_MEMBER_DATABASE_URL": database_url,
        "HUITOUKE_MEMBER_TLS_CERTIFICATE_FILE": str(certificates / "member.pem"),
        "HUITOUKE_MEMBER_TLS_KEY_FILE": str(certificates / "member.key"),
        "HUITOUKE_MEMBER_TLS_CA_FILE": str(certificates / "ca.pem"),
        "HUITOUKE_MEMBER_KEY_RING": development_key_ring("member").to_json(),
        "HUITOUKE_MEMBER_INDEX_KEY": b64encode(INDEX_KEY).decode(),
        "HUITOUKE_MEMBER_REQUEST_KEY": b64encode(REQUEST_KEY).decode(),
    }
    return {"PATH": os.environ["PATH"]} | settings | changes


def run(role: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, role], env=settings, capture_output=True, text=True, timeout=60, check=False
    )


def test_migrating_what_is_migrated_changes_nothing(database_url: str, certificates: Path) -> None:
    migrated(database_url)
    again = run("migrate", environment(database_url, certificates))
    assert again.returncode == 0, again.stderr


def test_a_server_that_is_asked_to_stop_drains_and_ends_well(
    database_url: str, certificates: Path
) -> None:
    settings = environment(database_url, certificates)
    migrated(database_url)
    server = subprocess.Popen([*PROGRAM, "serve"], env=settings, stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    assert server.stderr is not None
    reader = threading.Thread(target=lambda: lines.extend(server.stderr or ()), daemon=True)
    reader.start()
    try:
        wait_until(lambda: any('"serving"' in line for line in lines), 30, "the server serves")
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("HUITOUKE_MEMBER_KEY_RING", development_key_ring("member").to_json()),
        ("HUITOUKE_MEMBER_INDEX_KEY", b64encode(INDEX_KEY).decode()),
    ],
    ids=["key ring", "index key"],
)
def test_production_refuses_to_start_with_a_development_key(
    database_url: str, certificates: Path, setting: str, value: str
) -> None:
    keys = {
        "HUITOUKE_MODE": "production",
        "HUITOUKE_MEMBER_KEY_RING": KeyRing("k1", {"k1": bytes(range(32))}).to_json(),
        "HUITOUKE_MEMBER_INDEX_KEY": b64encode(bytes(range(32))).decode(),
        "HUITOUKE_MEMBER_REQUEST_KEY": b64encode(bytes(range(32))).decode(),
    }
    settings = environment(database_url, certificates, **keys | {setting: value})
    refused = run("serve", settings)
    assert refused.returncode == 2
    complaint = refused.stderr[refused.stderr.index(f"{setting}:") :]
    assert "is refused in production mode" in complaint.splitlines()[0]
    assert value not in refused.stderr


def test_the_relay_publishes_an_enrolment_under_the_members_id(
    database_url: str, certificates: Path, kafka_bootstrap: str, topic_prefix: str
) -> None:
    settings = environment(
        database_url,
        certificates,
        HUITOUKE_KAFKA_BOOTSTRAP=kafka_bootstrap,
        HUITOUKE_TOPIC_PREFIX=topic_prefix,
    )
    migrated(database_url)
    topic = topic_of("member", topic_prefix)
    ensure_topics(kafka_bootstrap, [topic])

    async def enrol() -> str:
        async with running(database_url, certificates) as member:
            answer = await member.caller().call("Enrol", enrolment(1))
            return str(answer.member.member_id)

    member_id = asyncio.run(enrol())
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
    assert record.key.decode() == member_id
    assert dict(record.headers)["ce_type"] == b"huitouke.member.v1.MemberEnrolled"
    assert events_pb2.MemberEnrolled.FromString(record.value).member_id == member_id


def test_the_work_role_forgets_requests_after_thirty_days_in_two_replicas(
    database_url: str, certificates: Path
) -> None:
    settings = environment(database_url, certificates)
    migrated(database_url)
    remember_an_old_and_a_young_one(database_url)
    with two_replicas_at_work(PROGRAM, settings, "requests"):
        assert remembered(database_url) == ["young"]
