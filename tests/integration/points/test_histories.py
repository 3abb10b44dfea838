"""The histories of tests/unit/points, on PostgreSQL: loading and saving lose and invent nothing.

Each history has guests and ids of its own in one database; when all are done the whole ledger is
verified.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID

import psycopg
import pytest
from huitouke.points.v1.programme_pb2 import Programme

from chassis.clock import ManualClock
from chassis.storage.contracts import Submission
from chassis.storage.engine import create_engine
from services.points.converters.programmes import to_programme
from services.points.domain.assets import Asset, EntryKind, House
from services.points.domain.commands import Command
from services.points.domain.journal import Entry, Posting
from services.points.domain.publishing import Shelf
from services.points.domain.verification import Difference
from services.points.main import ledger_executor
from services.points.storage.programmes import ProgrammeRepository
from services.points.storage.reports.verification import verify
from tests.histories.playing import START, History, Script
from tests.histories.programmes import MOVEMENTS, PROGRAMMES
from tests.histories.services import (
    LotRow,
    MemberRow,
    Outcomes,
    Told,
    run_together,
)
from tests.histories.strategies import POSTGRES, proven

_LOTS = """
SELECT lot_number, asset::text, amount, remaining, expired, earned_at, expires_at, held FROM lots
WHERE member_id = %s ORDER BY lot_number
"""
_MEMBER = """
SELECT version, points, cash_minor, bonus_minor, points_debt,
       points_held, cash_held_minor, bonus_held_minor
FROM members WHERE member_id = %s
"""
_POSTINGS = """
SELECT member_id, version, kind::text, posted_at, reference_id,
       asset::text, amount, house::text, lot_number, balance_after
FROM postings WHERE member_id = %s AND version > %s ORDER BY version, line
"""
_PINS = """
SELECT lot_number, sum(amount)::bigint FROM hold_lots JOIN holds USING (member_id, hold_id)
WHERE member_id = %s AND state = 'OPEN' GROUP BY lot_number
"""
_EVENTS = """
SELECT aggregateid, type, version, payload FROM outbox
WHERE aggregateid = %s AND version > %s ORDER BY seq
"""


class PostgresService:
    """The service's own executor over PostgreSQL, looked at by SQL of its own."""

    def __init__(self, url: str, clock: ManualClock) -> None:
        self._engine = create_engine(url, application_name="test", pool_size=1, index_plans=True)
        self._executor = ledger_executor(self._engine, clock, terms=MOVEMENTS)
        self._executor.start()
        self._looking = psycopg.connect(url, autocommit=True)
        self._seen: dict[UUID, int] = defaultdict(int)

    def close(self) -> None:
        self._looking.close()
        self._executor.stop()
        self._engine.dispose()

    def run(self, batch: Sequence[Submission[Command]]) -> Outcomes:
        return run_together(self._executor, batch)

    def member(self, member_id: UUID) -> MemberRow:
        row = self._looking.execute(_MEMBER, (member_id,)).fetchone()
        return MemberRow(*(row or (0, 0, 0, 0, 0)))

    def lots(self, member_id: UUID) -> list[LotRow]:
        return [LotRow(*row) for row in self._looking.execute(_LOTS, (member_id,))]

    def pins(self, member_id: UUID) -> dict[int, int]:
        return dict(self._looking.execute(_PINS, (member_id,)).fetchall())

    def budgets_given(self) -> dict[str, int]:
        rows = self._looking.execute("SELECT rule, given_points FROM rule_budgets")
        return dict(rows.fetchall())

    def news(self, member_ids: Iterable[UUID]) -> tuple[list[Entry], list[Told]]:
        entries: dict[tuple[UUID, int], Entry] = {}
        events: list[Told] = []
        for member_id in member_ids:
            since = member_id, self._seen[member_id]
            for row in self._looking.execute(_POSTINGS, since):
                _add_posting(entries, row)
            told = [Told(*row) for row in self._looking.execute(_EVENTS, since)]
            self._seen[member_id] += len(told)
            events += told
        return list(entries.values()), events


def _add_posting(entries: dict[tuple[UUID, int], Entry], row: Sequence[Any]) -> None:
    member_id, version, kind, posted_at, reference_id, asset, amount, house, lot, after = row
    entry = entries.setdefault(
        (member_id, version), Entry(member_id, version, EntryKind(kind), posted_at, reference_id)
    )
    entry.postings.append(Posting(Asset(asset), amount, House(house), lot, after))


@contextmanager
def serving(url: str, clock: ManualClock) -> Iterator[PostgresService]:
    service = PostgresService(url, clock)
    try:
        yield service
    finally:
        service.close()


def publish(url: str, programmes: Sequence[Programme]) -> None:
    engine = create_engine(url, application_name="test")
    with engine.begin() as connection:
        shelf = Shelf(0, None, [to_programme(each) for each in programmes])
        ProgrammeRepository(ManualClock(START)).save(connection, shelf)
    engine.dispose()


def differences(url: str) -> list[Difference]:
    """What the service's own verification finds wrong with the whole ledger."""
    engine = create_engine(url, application_name="test")
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = verify(connection)
    engine.dispose()
    assert found.balanced or found.differences
    return found.differences


@pytest.mark.parametrize("share", POSTGRES.shares)
def test_the_service_and_the_model_agree_on_postgresql_too(share: int, ledger_url: str) -> None:
    publish(ledger_url, PROGRAMMES)
    spaces = count(1)

    @proven(POSTGRES, share)
    def history(script: Script) -> None:
        clock = ManualClock(START)
        with serving(ledger_url, clock) as service:
            History(service, clock, next(spaces)).play(script)

    history()
    assert differences(ledger_url) == []
