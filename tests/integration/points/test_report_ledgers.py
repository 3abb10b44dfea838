"""Liability and trial balance of random ledgers, against the same worked out row by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from chassis.storage.engine import create_engine
from services.points.domain.assets import Asset, House
from services.points.domain.breakage import Cohort, Flow
from services.points.domain.calendar import month_of
from services.points.domain.liability import Figures
from services.points.domain.shares import allocate
from services.points.storage.reports.liability import liability
from services.points.storage.reports.trial_balance import trial_balance
from tests.integration.points.ledgers import (
    BEGIN,
    DAYS,
    Ledger,
    Posting,
    instants,
    ledgers,
    put_into,
    sum_of,
)

ZONE = ZoneInfo("Asia/Shanghai")
NOW = BEGIN + timedelta(days=2 * DAYS)
SPENT = ("REDEEMED", "SETTLEMENT")
many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    engine = create_engine(ledger_url, application_name="test-report")
    yield engine
    engine.dispose()


@many
@given(ledgers(), st.lists(instants, min_size=2, max_size=4))
def test_each_period_closes_as_the_next_opens_and_every_one_sums_to_zero(
    engine: Engine, ledger: Ledger, cuts: list[datetime]
) -> None:
    ends: list[datetime | None] = [None, *sorted(cuts), None]
    with put_into(engine, ledger) as connection:
        periods = [
            trial_balance(connection, since, before, NOW, range_rows=1)
            for since, before in pairwise(ends)
        ]
    assert all(period.balanced for period in periods)
    for earlier, later in pairwise(periods):
        before, after = earlier.assets[Asset.POINTS], later.assets[Asset.POINTS]
        assert before.members.closing == after.members.opening
        for account, movement in after.accounts.items():
            closed = before.accounts.get(account)
            assert movement.opening == (closed.closing if closed else 0)
    last = periods[-1].assets[Asset.POINTS]
    assert last.members.closing == sum_of(ledger, lambda _: True)
    for account, movement in last.accounts.items():
        assert movement.closing == -sum_of(ledger, of_account(account.house, account.merchant_id))


def of_account(house: House, merchant_id: UUID | None) -> Callable[[Posting], bool]:
    return lambda each: each.house == house and merchant_id in (None, each.merchant_id)


@many
@given(ledgers(), instants | st.none())
def test_the_liability_is_what_working_lot_by_lot_gives(
    engine: Engine, ledger: Ledger, as_of: datetime | None
) -> None:
    with put_into(engine, ledger) as connection:
        found = liability(connection, as_of, ZONE, NOW, range_rows=1).assets[Asset.POINTS]
        by_larger_ranges = liability(connection, as_of, ZONE, NOW).assets[Asset.POINTS]
    assert by_larger_ranges == found
    expected = Naive(ledger, as_of)
    assert found.total == expected.total
    assert found.due == expected.due
    assert {(s.house, s.merchant_id): f for s, f in found.by_source.items()} == expected.by_source
    assert found.by_rule == expected.by_rule
    assert found.by_earned_month == expected.by_earned
    assert found.by_expiry_month == expected.by_expiry
    assert found.flows == expected.flows
    for groups in (
        found.by_source,
        found.by_rule,
        found.by_earned_month,
        found.by_expiry_month,
    ):
        summed = Figures()
        for figures in groups.values():
            summed.add(figures)
        assert summed == found.total


Given = tuple[str, UUID | None, str]
"""House account, merchant and rule."""


class Naive:
    """The report, worked out lot by lot."""

    def __init__(self, ledger: Ledger, as_of: datetime | None) -> None:
        self.total, self.due = Figures(), 0
        self.by_source: dict[tuple[str, UUID | None], Figures] = defaultdict(Figures)
        self.by_rule: dict[str, Figures] = defaultdict(Figures)
        self.by_earned: dict[int, Figures] = defaultdict(Figures)
        self.by_expiry: dict[int | None, Figures] = defaultdict(Figures)
        self.flows: dict[Cohort, dict[int, Flow]] = {}
        self.ledger = ledger
        for lot in ledger.lots:
            postings = [
                each
                for each in ledger.postings
                if (each.member_id, each.lot_number) == (lot.member_id, lot.lot_number)
                and (as_of is None or each.posted_at <= as_of)
            ]
            earned, expiry = month_of(lot.earned_at, ZONE), None
            if lot.expires_at:
                expiry = month_of(lot.expires_at - timedelta(microseconds=1), ZONE)
            if lot.expires_at and lot.expires_at <= (as_of or NOW):
                self.due += sum(each.amount for each in postings)
            weights = self.given(lot.member_id, lot.lot_number, as_of)
            for (house, merchant, rule), figures in shared(postings, weights).items():
                for group in (
                    self.total,
                    self.by_source[house, merchant],
                    self.by_rule[rule],
                    self.by_earned[earned],
                    self.by_expiry[expiry],
                ):
                    group.add(figures)
            if expiry and postings:
                self._flow(Cohort(earned, expiry), postings)

    def given(self, member: UUID, number: int, as_of: datetime | None) -> dict[Given, int]:
        """By what a lot was filled, or the one it was first taken from."""
        given: dict[Given, int] = {}
        for each in self.ledger.postings:
            if (each.member_id, each.lot_number) != (member, number) or each.amount < 0:
                continue
            if each.house == "TRANSFER":
                return self._given_to_the_giver(each, as_of)
            if as_of is None or each.posted_at <= as_of:
                key = (each.house, each.merchant_id, each.rule)
                given[key] = given.get(key, 0) + each.amount
        return given

    def _given_to_the_giver(self, arrived: Posting, as_of: datetime | None) -> dict[Given, int]:
        (gone,) = (
            each
            for each in self.ledger.postings
            if (each.reference_id, each.line) == (arrived.reference_id, arrived.line)
            and each.amount < 0
        )
        return self.given(gone.member_id, gone.lot_number, as_of)

    def _flow(self, cohort: Cohort, postings: list[Posting]) -> None:
        for each in postings:
            month = month_of(each.posted_at, ZONE)
            flow = self.flows.setdefault(cohort, {}).setdefault(month, Flow())
            if each.amount > 0:
                flow.entered += each.amount
            elif each.house in SPENT:
                flow.redeemed -= each.amount
            elif each.house == "EXPIRED":
                flow.expired -= each.amount
            else:
                flow.withdrawn -= each.amount


def shared(postings: list[Posting], given: dict[Given, int]) -> dict[Given, Figures]:
    """A lot's figures divided among its sources; what came by a transfer was earned elsewhere."""
    weights = list(given.values())
    if not postings:
        return {}
    spent = -sum(each.amount for each in postings if each.house in SPENT)
    expired = -sum(each.amount for each in postings if each.house == "EXPIRED")
    left = sum(each.amount for each in postings)
    parts = [allocate(figure, weights) for figure in (spent, expired, left)]
    own = not any(each.house == "TRANSFER" and each.amount > 0 for each in postings)
    return {
        key: Figures(weight if own else 0, *part)
        for (key, weight), *part in zip(given.items(), *parts, strict=True)
    }
