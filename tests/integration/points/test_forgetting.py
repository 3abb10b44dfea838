"""What the ledger forgets: remembered requests, and counters of days long past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from chassis.clock import ManualClock
from chassis.storage.engine import create_engine
from chassis.storage.housekeeping import Housekeeping
from services.points.domain.limits import WHOLE_LIFE
from services.points.domain.rules import Caps
from services.points.jobs.forgetting import DAY_COUNTERS
from tests.integration.points.storages import Storage, buy, on_postgresql, reverse
from tests.integration.points.test_roles import PROGRAM, environment
from tests.remembering import (
    remember_an_old_and_a_young_one,
    remembered,
    two_replicas_at_work,
)
from tests.unit.points.worlds import OUTLET_BASE, START, programme

CAPPED = programme(replace(OUTLET_BASE, caps=Caps(per_member_day=150, per_member=100_000)))


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    engine = create_engine(ledger_url, application_name="test")
    yield engine
    engine.dispose()


@pytest.fixture
def storage(ledger_url: str) -> Storage:
    storage = on_postgresql(ManualClock(START), ledger_url)
    storage.publish(CAPPED)
    return storage


def counters(url: str, member: UUID) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT period, points FROM rule_usage WHERE member_id = %s", (member,)
        )
        return dict(rows.fetchall())


def forget(engine: Engine, now: datetime) -> int:
    return Housekeeping(engine, ManualClock(now), [DAY_COUNTERS], 3600.0).batch(DAY_COUNTERS)


def written(url: str) -> datetime:
    """When the counters last changed, by the database's clock."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT max(changed_at) FROM rule_usage").fetchone()
    assert row is not None
    instant: datetime = row[0]
    return instant


def test_a_days_counter_is_kept_while_a_purchase_may_be_booked_on_it(
    ledger_url: str, engine: Engine, storage: Storage
) -> None:
    member, day = uuid4(), START.date().isoformat()
    storage.do(buy(member, 10_000))
    assert counters(ledger_url, member) == {day: 100, WHOLE_LIFE: 100}
    changed_at = written(ledger_url)
    assert forget(engine, changed_at + timedelta(days=402)) == 0
    storage.do(buy(member, 10_000))
    assert counters(ledger_url, member) == {day: 150, WHOLE_LIFE: 150}
    assert written(ledger_url) > changed_at
    assert forget(engine, written(ledger_url) + timedelta(days=402, seconds=1)) == 1
    assert counters(ledger_url, member) == {WHOLE_LIFE: 150}


def test_a_reversal_long_after_needs_no_counter_of_the_day(
    ledger_url: str, engine: Engine, storage: Storage
) -> None:
    member = uuid4()
    bought = buy(member, 10_000)
    storage.do(bought)
    forget(engine, written(ledger_url) + timedelta(days=500))
    storage.clock.advance(timedelta(days=500))
    (answer,) = storage.do(reverse(bought))
    assert answer is not None
    assert counters(ledger_url, member) == {START.date().isoformat(): 0, WHOLE_LIFE: 0}


def test_the_work_role_forgets_old_requests_and_old_counters_in_two_replicas(
    ledger_url: str, certificates: Path, storage: Storage
) -> None:
    member = uuid4()
    storage.do(buy(member, 10_000))
    with psycopg.connect(ledger_url) as connection:
        connection.execute("UPDATE rule_usage SET changed_at = changed_at - interval '403 days'")
    remember_an_old_and_a_young_one(ledger_url)
    settings = environment(ledger_url, certificates)
    with two_replicas_at_work(PROGRAM, settings, "requests", "rule_usage"):
        assert remembered(ledger_url) == ["young"]
        assert counters(ledger_url, member) == {WHOLE_LIFE: 100}
