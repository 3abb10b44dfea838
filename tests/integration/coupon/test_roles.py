"""The console script, as an operator starts it; and its events as a subscriber reads them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huitouke.coupon.v1 import events_pb2
from kafka import KafkaConsumer

from chassis.messaging.creation import ensure_topics
from chassis.messaging.topics import topic_of
from tests.integration.coupon.asking import (
    a_basket,
    a_campaign,
    a_claim,
    an_id,
    cancelling,
    expecting,
    redeeming,
    reserving,
    rolling_back,
)
from tests.integration.coupon.running import REQUEST_KEY, running
from tests.remembering import (
    remember_an_old_and_a_young_one,
    remembered,
    two_replicas_at_work,
)
from tests.waiting import wait_until

PROGRAM = [sys.executable, "-c", "from services.coupon.main import main; main()"]


def environment(database_url: str, certificates: Path, **changes: str) -> dict[str, str]:
    settings = {
        "HUITOUKE_MODE": "development",
        "HUITOUKE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "HUITOUKE_COUPON_LISTEN": "127.0.0.1:0",
        "HUITOUKE_COUPON_METRICS_LISTEN": "off",
        "HUITOUKE_COUPON_DRAIN_PAUSE_SECONDS": "0",
        "HUITOUKE_COUPON_DATABASE_URL": database_url,
        "HUITOUKE_COUPON_TLS_CERTIFICATE_FILE": str(certificates / "coupon.pem"),
        "HUITOUKE_COUPON_TLS_KEY_FILE": str(certificates / "coupon.key"),
        "HUITOUKE_COUPON_TLS_CA_FILE": str(certificates / "ca.pem"),
        "HUITOUKE_COUPON_REQUEST_KEY": REQUEST_KEY,
    }
    return {"PATH": os.environ["PATH"]} | settings | changes


def run(role: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, role], env=settings, capture_output=True, text=True, timeout=60
    )


@contextmanager
def started(role: str, settings: dict[str, str], lines: list[str]) -> Iterator[None]:
    """The role as a process that is asked to stop in the end, and ends well."""
    process = subprocess.Popen([*PROGRAM, role], env=settings, stderr=subprocess.PIPE, text=True)
    reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, lines
    finally:
        process.kill()
        process.wait()


def test_a_server_that_is_asked_to_stop_drains_and_ends_well(
    database_url: str, certificates: Path
) -> None:
    settings = environment(database_url, certificates)
    migrations = [run("migrate", settings) for _ in range(2)]
    assert [each.returncode for each in migrations] == [0, 0], migrations
    lines: list[str] = []
    with started("serve", settings, lines):
        wait_until(lambda: any('"serving"' in line for line in lines), 30, "the server serves")


def test_missing_settings_are_all_named_at_once(database_url: str, certificates: Path) -> None:
    settings = environment(database_url, certificates)
    del settings["HUITOUKE_COUPON_DATABASE_URL"], settings["HUITOUKE_COUPON_REQUEST_KEY"]
    refused = run("serve", settings)
    assert refused.returncode == 2
    for name in ("HUITOUKE_COUPON_DATABASE_URL", "HUITOUKE_COUPON_REQUEST_KEY"):
        assert name in refused.stderr


async def live_a_story(database_url: str, certificates: Path, member: str) -> None:
    """Reserve and cancel, cancel what was never seen, then reserve, redeem and roll back."""
    async with running(database_url, certificates) as (service,):
        await service.operator.call(a_campaign("STORY"))
        coupon = (await service.gateway.call(a_claim(member, "STORY"))).coupon
        expected = [expecting(coupon.coupon_id, 5_000)]
        first, second = an_id(), an_id()
        basket = a_basket(12_000, 8_000)
        for request in (
            reserving(member, first, basket, expected),
            cancelling(member, first),
            cancelling(member, an_id()),
            reserving(member, second, basket, expected),
            redeeming(member, second),
            rolling_back(member, second),
        ):
            await service.gateway.call(request)


def test_the_relay_publishes_a_checkouts_story_in_order_of_its_versions(
    database_url: str, certificates: Path, kafka_bootstrap: str, topic_prefix: str
) -> None:
    member = an_id()
    topic = topic_of("coupon", topic_prefix)
    ensure_topics(kafka_bootstrap, [topic])
    settings = environment(
        database_url,
        certificates,
        HUITOUKE_KAFKA_BOOTSTRAP=kafka_bootstrap,
        HUITOUKE_TOPIC_PREFIX=topic_prefix,
    )
    assert run("migrate", settings).returncode == 0
    asyncio.run(live_a_story(database_url, certificates, member))
    consumer = KafkaConsumer(
        topic, bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", group_id=None
    )
    records = []

    def arrived() -> bool:
        for batch in consumer.poll(timeout_ms=100).values():
            records.extend(batch)
        return len(records) >= 7

    with started("relay", settings, []):
        wait_until(arrived, 60, "seven events arrive")
    consumer.close()
    told = [
        ({name: value.decode() for name, value in record.headers}, record.value)
        for record in records
        if record.key == member.encode()
    ]
    assert [headers["ce_type"].rpartition(".")[2] for headers, _ in told] == [
        "CouponIssued",
        "CouponsReserved",
        "CouponReservationCancelled",
        "CouponsReserved",
        "CouponsRedeemed",
        "CouponsRolledBack",
    ]
    assert [headers["ce_memberversion"] for headers, _ in told] == [str(n) for n in range(1, 7)]
    redeemed = events_pb2.CouponsRedeemed.FromString(told[4][1])
    assert redeemed.discounts[0].amount_minor == 5_000
    assert list(redeemed.discounts[0].line_amounts_minor) == [3_000, 2_000]
    assert (redeemed.currency, redeemed.place.property_code) == ("CNY", "SHA01")


def test_the_work_role_forgets_requests_after_thirty_days_in_two_replicas(
    database_url: str, certificates: Path
) -> None:
    settings = environment(database_url, certificates)
    assert run("migrate", settings).returncode == 0
    remember_an_old_and_a_young_one(database_url)
    with two_replicas_at_work(PROGRAM, settings, "requests"):
        assert remembered(database_url) == ["young"]
