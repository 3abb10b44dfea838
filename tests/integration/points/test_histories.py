"""Random histories on PostgreSQL, in batches, against the same commands on books in memory.

The rules are proven elsewhere; this proves that loading part of the lots and saving what changed
loses and invents nothing, also where commands of one batch depend on each other.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from chassis.clock import ManualClock
from chassis.kernel import Refusal
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executed, Submission
from chassis.storage.requests import command_fingerprint
from services.points.converters.answers import to_response
from services.points.domain.accounts import Account, Member
from services.points.domain.assets import Asset, Category, Channel
from services.points.domain.books import Books
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    Command,
    PostCheckout,
    ReleaseHold,
    ReverseCheckout,
    SettleDue,
    TopUpStoredValue,
)
from services.points.domain.ledger import decide
from services.points.domain.pins import NOTHING, HoldState
from services.points.domain.programme import Programmes
from services.points.domain.purchases import Facts, Line, Purchase, Stay
from services.points.main import LedgerExecutor, ledger_executor
from services.points.storage import queries
from services.points.storage.programmes import read_newer
from tests.unit.points.worlds import PLACE, START

MEMBERS, BATCHES, BATCH_MAX = 3, 60, 12


class Memory:
    """Books of all members with everything loaded."""

    def __init__(self, members: list[UUID], programmes: Programmes) -> None:
        self.books = Books({each: self._member(each) for each in members}, programmes)

    def _member(self, member_id: UUID) -> Member:
        points, cash, bonus = (Account(asset, open_lots=[]) for asset in Asset)
        return Member(member_id, points=points, cash=cash, bonus=bonus)

    def answer(self, command: Command, clock: ManualClock) -> object:
        """The answer as it would be sent, or the refusal's reason."""
        try:
            decision = decide(self.books, command, clock.now())
        except Refusal as refusal:
            return refusal.reason, refusal.metadata
        assert decision.answer is not None
        return to_response(decision.answer)


class Guests:
    """Commands of guests who come back, spend a lot and change their minds."""

    def __init__(self, random: Random, memory: Memory, clock: ManualClock) -> None:
        self._random = random
        self._memory = memory
        self._clock = clock
        self._checkouts: list[tuple[UUID, UUID]] = []
        self._holds: list[tuple[UUID, UUID, UUID | None]] = []

    def next(self) -> Command:
        member = self._random.choice(list(self._memory.books.members))
        kind = self._random.choices(
            ["post", "stay", "top up", "reverse", "cancel", "expire", "hold", "use hold"],
            [60, 8, 6, 20, 6, 2, 14, 12],
        )[0]
        if kind == "hold":
            return self._hold(member)
        if kind == "use hold":
            return self._use_hold(member)
        if kind == "post":
            return self._post(member)
        if kind == "stay":
            return self._stay(member)
        if kind == "top up":
            amount = self._random.choice([100, 50_000, 99_999])
            return TopUpStoredValue(member, uuid4(), PLACE, amount, "CNY")
        if kind == "expire":
            return SettleDue(member)
        member, checkout = self._one_of_the_last(member)
        if kind == "cancel":
            return CancelPost(member, checkout)
        part = self._random.choice([None, 1, 777, 5_000, 20_000, 60_000])
        return ReverseCheckout(member, checkout, uuid4(), PLACE, part)

    def _post(self, member: UUID) -> PostCheckout:
        known = self._memory.books.members[member]
        share = self._random.choice([0, 0, 0.3, 0.6, 1])
        points = int(known.points.balance * share)
        stored = int(
            (known.cash.balance + known.bonus.balance) * self._random.choice([0, 0, 0.5, 1])
        )
        bill = points + stored + self._random.randrange(1, 50_000)
        lines = (Line(Category.DINING, bill // 3), Line(Category.SPA, bill - bill // 3))
        return self._buy(member, lines, points, stored, None)

    def _hold(self, member: UUID) -> AuthorizeHold:
        known = self._memory.books.members[member]
        points = int(known.points.balance * self._random.choice([0, 0.2, 0.5]))
        stored = int(known.cash.balance * self._random.choice([0, 0.2, 0.5]))
        hold, checkout, lives = uuid4(), None, None
        if self._random.random() < 0.5:
            checkout = uuid4()
            self._checkouts.append((member, checkout))
        else:
            lives = timedelta(days=self._random.choice([1, 5, 50]))
        self._holds.append((member, hold, checkout))
        return AuthorizeHold(
            member, hold, PLACE, "CNY", points + (not stored), stored, lives, checkout
        )

    def _use_hold(self, member: UUID) -> Command:
        hold, checkout = uuid4(), None
        if self._holds and self._random.random() < 0.95:
            last = self._holds[-self._random.choice([1, 4, 30]) :]
            member, hold, checkout = self._random.choice(last)
        known = self._memory.books.holds.get(hold)
        held = known.held if known else NOTHING
        share = self._random.choice([0, 0.3, 1, 1])
        points, stored = int(held.points * share), int(held.stored_value_minor * share)
        how = self._random.choice(["capture", "release", "post", "post"])
        if how == "capture":
            return CaptureHold(member, hold, PLACE, "CNY", max(points, 1), stored)
        if how == "release":
            return ReleaseHold(member, hold)
        lines = (Line(Category.DINING, points + stored + 5_000),)
        bought = self._buy(member, lines, points, stored, None)
        return PostCheckout(checkout or bought.checkout_id, bought.purchase, hold)

    def _stay(self, member: UUID) -> PostCheckout:
        lines = (Line(Category.ROOM, self._random.randrange(90_000)),)
        return self._buy(member, lines, 0, 0, Stay(Channel.DIRECT, "", 2))

    def _buy(
        self, member: UUID, lines: tuple[Line, ...], points: int, stored: int, stay: Stay | None
    ) -> PostCheckout:
        tier = self._random.choice(["CLASSIC", "GOLD"])
        back = timedelta(days=self._random.randrange(900) if stay else 0)
        purchase = Purchase(
            member, PLACE, "CNY", self._clock.now() - back, Facts(tier), lines, points, stored, stay
        )
        checkout = uuid4()
        self._checkouts.append((member, checkout))
        return PostCheckout(checkout, purchase)

    def _one_of_the_last(self, member: UUID) -> tuple[UUID, UUID]:
        if not self._checkouts or self._random.random() < 0.1:
            return member, uuid4()
        return self._random.choice(self._checkouts[-self._random.choice([1, 5, 400]) :])


@pytest.mark.parametrize("seed", range(4))
def test_postgresql_answers_batch_by_batch_what_memory_answers(seed: int, ledger_url: str) -> None:
    random, clock = Random(seed), ManualClock(START)
    engine = create_engine(ledger_url, application_name="test", pool_size=3, index_plans=True)
    programmes = Programmes()
    with engine.connect() as connection:
        read_newer(connection, programmes)
    memory = Memory([uuid4() for _ in range(MEMBERS)], programmes)
    guests = Guests(random, memory, clock)
    executor = ledger_executor(engine, clock)
    executor.start()
    for _ in range(BATCHES):
        clock.advance(timedelta(days=random.choice([0, 1, 3, 40])))
        expected, batch = [], []
        for _ in range(random.randrange(1, BATCH_MAX)):
            command = guests.next()
            batch.append(command)
            expected.append(memory.answer(command, clock))
        assert asyncio.run(run(executor, batch)) == expected
    executor.stop()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = queries.verify(connection)
    assert all(asset.balanced for asset in found.assets)
    engine.dispose()
    check_against_memory(ledger_url, memory)


async def run(executor: LedgerExecutor, batch: list[Command]) -> list[object]:
    """Answers, and reasons with metadata of refusals, of commands sent at once."""
    submissions = [
        Submission(command, "gateway", str(uuid4()), command_fingerprint("test", [], b"k" * 32))
        for command in batch
    ]
    outcomes: list[Any] = list(await executor.execute_many(submissions))
    return [
        outcome.answer if isinstance(outcome, Executed) else (outcome.reason, outcome.metadata)
        for outcome in outcomes
    ]


def check_against_memory(url: str, memory: Memory) -> None:
    """Every lot, posting and event lies in the database as memory has it."""
    changes = memory.books.changes
    with psycopg.connect(url) as connection:
        lots = connection.execute(
            "SELECT member_id, lot_number, asset::text, amount, remaining, expired, held, open, "
            "earned_at, expires_at FROM lots ORDER BY member_id, lot_number"
        ).fetchall()
        postings = connection.execute(
            "SELECT member_id, version, line, amount, balance_after, lot_number FROM postings "
            "ORDER BY member_id, version, line"
        ).fetchall()
        versions = connection.execute(
            "SELECT aggregateid, array_agg(version ORDER BY seq) FROM outbox GROUP BY 1"
        ).fetchall()
    assert lots == [
        (member.member_id, lot.number, lot.asset, lot.amount, lot.remaining, lot.expired,
         lot.held, lot.remaining > 0, lot.earned_at, lot.expires_at)
        for member in sorted(memory.books.members.values(), key=lambda each: each.member_id)
        for lot in (member.lots[number] for number in sorted(member.lots))
    ]  # fmt: skip
    assert postings == [
        (entry.member_id, entry.version, line, each.amount, each.balance_after, each.lot_number)
        for entry in sorted(changes.entries, key=lambda entry: (entry.member_id, entry.version))
        for line, each in enumerate(entry.postings, 1)
    ]
    check_holds_against_memory(url, memory)
    for member_id, found in versions:
        assert found == list(range(1, memory.books.members[member_id].version + 1))


def check_holds_against_memory(url: str, memory: Memory) -> None:
    """Every hold and pin, and what members remember of them, is as memory has it."""
    with psycopg.connect(url) as connection:
        holds = connection.execute(
            "SELECT hold_id, member_id, state::text, checkout_id, timeout_at, resolved_at, points, "
            "cash_minor, bonus_minor, points_captured, cash_captured_minor, bonus_captured_minor "
            "FROM holds ORDER BY hold_id"
        ).fetchall()
        pins = connection.execute("SELECT hold_id, lot_number, amount FROM hold_lots").fetchall()
        members = connection.execute(
            "SELECT member_id, points_held, cash_held_minor, bonus_held_minor, open_holds, "
            "next_hold_timeout FROM members"
        ).fetchall()
    known = sorted(memory.books.holds.values(), key=lambda hold: hold.hold_id)
    assert {hold.state for hold in known} == set(HoldState)
    assert holds == [
        (hold.hold_id, hold.member_id, hold.state, hold.checkout_id, hold.timeout_at,
         hold.resolved_at, *hold.held, *hold.captured)
        for hold in known
    ]  # fmt: skip
    assert sorted(pins) == sorted(
        (hold.hold_id, pin.lot.number, pin.amount) for hold in known for pin in hold.pinned()
    )
    for member_id, *remembered in members:
        member = memory.books.members[member_id]
        timeouts = [each.timeout_at for each in member.holds.values() if each.timeout_at]
        held = [account.held for account in member.accounts()]
        assert remembered == [*held, len(member.holds), min(timeouts, default=None)]
