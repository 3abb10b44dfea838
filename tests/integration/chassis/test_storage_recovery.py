"""The executor in trouble: poison, lost connections, unknown commits, restarts, other replicas."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy import Connection, Engine

from chassis.failpoints import SETTING, arm_failpoints
from chassis.identifiers import new_id
from chassis.kernel import Category
from chassis.storage.contracts import SilentObserver
from chassis.storage.engine import create_engine
from chassis.storage.executor import Executed, RetryPolicy
from chassis.storage.sets import driver
from cli.local.ports import free_port
from cli.local.postgres import PostgresServer
from tests.integration.chassis.storage_accounts import (
    Accounts,
    State,
    accounting,
    answer_all,
    answer_in_one_batch,
    balance,
    balance_in,
    number,
    prepared_engine,
    refusal_in,
    started,
    submission,
)
from tests.waiting import wait_until

HOPELESS = RetryPolicy(attempts_max=3, first_pause_seconds=0.001, pause_seconds_max=0.002)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = prepared_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def member() -> UUID:
    return new_id()


@pytest.fixture
def failpoints() -> Iterator[None]:
    yield
    arm_failpoints({})


class Watcher(SilentObserver):
    """Keeps what it is told; holds up each retry until it may go on."""

    def __init__(self) -> None:
        self.may_retry = threading.Event()
        self.may_retry.set()
        self.retries: list[str] = []
        self.poisons: list[str] = []

    def batch_retried(self, executor: str, cause: str) -> None:
        self.retries.append(f"{executor} {cause}")
        assert self.may_retry.wait(30)

    def command_poisoned(self, executor: str, cause: str) -> None:
        self.poisons.append(f"{executor} {cause}")


class TroubleOnce:
    """A before_save that does something to its connection the first time only."""

    def __init__(self, engine: Engine, sql: str) -> None:
        self._engine = engine
        self._sql = sa.text(sql)
        self._left = 1

    def __call__(self, connection: Connection) -> None:
        if self._left:
            self._left -= 1
            pid = driver(connection).info.backend_pid
            with self._engine.begin() as other:
                other.execute(self._sql, {"pid": pid})


class Taking(Accounts):
    """Accounts whose first journal row another replica writes just before the first save."""

    saves_blindly = True
    unique_for_ever = frozenset({"journal_pkey"})

    def __init__(self, engine: Engine, member: UUID) -> None:
        super().__init__(before_save=self._interfere)
        self._engine = engine
        self._member = member
        self.saves = 0
        self.told: list[int] = []

    def committed(self, state: State) -> None:
        self.told.append(state.accounts[self._member].balance)

    def _interfere(self, _connection: Connection) -> None:
        self.saves += 1
        change = "INSERT INTO journal VALUES (:id, 1, 5, now())"
        if self.saves > 1:
            change = "DELETE FROM journal WHERE member_id = :id"
        with self._engine.begin() as other:
            other.execute(sa.text(change), {"id": self._member})


def test_a_batch_runs_again_where_another_replica_took_an_id_meanwhile(
    engine: Engine, member: UUID
) -> None:
    watcher, repository = Watcher(), Taking(engine, member)
    commands = [submission(member, 1), submission(member, 2)]
    with started(accounting(engine, repository=repository, observer=watcher)) as executor:
        outcomes = answer_all(executor, commands[:1]) + answer_all(executor, commands[1:])
    assert [balance_in(each) for each in outcomes] == [1, 3]
    assert repository.saves == 3
    assert repository.told == [1, 3], "only what was committed is told"
    assert watcher.poisons == []


def test_a_command_that_blows_up_fails_alone_and_leaves_no_trace(
    engine: Engine, member: UUID
) -> None:
    watcher = Watcher()
    commands = [submission(member, 1) for _ in range(20)]
    commands[7:7] = [submission(member, 1, note="poison")]
    outcomes = answer_in_one_batch(accounting(engine, observer=watcher), commands)
    assert isinstance(outcomes.pop(7), ZeroDivisionError)
    assert sorted(balance_in(each) for each in outcomes) == list(range(1, 21))
    assert balance(engine, member) == 20
    assert watcher.poisons == ["accounts ZeroDivisionError"]


def test_a_batch_call_gives_the_poison_command_a_refusal_and_the_others_their_answers(
    engine: Engine, member: UUID
) -> None:
    commands = [submission(member, 1, note=note) for note in ("", "poison", "")]
    with started(accounting(engine)) as executor:
        first, poison, last = asyncio.run(executor.execute_many(commands))
    refusal = refusal_in(poison)
    assert (refusal.category, refusal.reason) == (Category.UNAVAILABLE, "INTERNAL")
    assert {balance_in(first), balance_in(last)} == {1, 2}


@pytest.mark.parametrize("place", [0, 6, 19])
def test_a_command_whose_rows_break_a_check_is_found_by_halving(
    engine: Engine, member: UUID, place: int
) -> None:
    commands = [submission(new_id(), 1) for _ in range(19)]
    commands[place:place] = [submission(member, 666, request_id="bad")]
    outcomes = answer_in_one_batch(accounting(engine), commands)
    error = outcomes.pop(place)
    assert isinstance(error, psycopg.errors.CheckViolation)
    assert "Failing row" not in str(error)
    assert [balance_in(each) for each in outcomes] == [1] * 19
    assert balance(engine, member) == 0
    assert number(engine, "SELECT count(*) FROM requests WHERE request_id = 'bad'") == 0


def test_an_event_that_does_not_fit_fails_its_command_alone(engine: Engine) -> None:
    members = [new_id() for _ in range(4)]
    odd = f"ALTER TABLE outbox ADD CHECK (aggregateid <> '{members[2]}')"
    with engine.begin() as connection:
        connection.execute(sa.text(odd))
    commands = [submission(each, 1) for each in members]
    outcomes = answer_in_one_batch(accounting(engine), commands)
    assert isinstance(outcomes[2], psycopg.errors.CheckViolation)
    assert [balance(engine, each) for each in members] == [1, 1, 0, 1]


def test_a_batch_whose_connection_is_killed_runs_again_once(engine: Engine, member: UUID) -> None:
    watcher = Watcher()
    trouble = TroubleOnce(engine, "SELECT pg_terminate_backend(:pid)")
    executor = accounting(engine, repository=Accounts(trouble), observer=watcher)
    outcomes = answer_in_one_batch(executor, [submission(member, 1) for _ in range(10)])
    assert [balance_in(each) for each in outcomes] == list(range(1, 11))
    assert not any(isinstance(each, Executed) and each.replayed for each in outcomes)
    assert balance(engine, member) == number(engine, "SELECT count(*) FROM outbox") == 10
    assert len(watcher.retries) == 1


def test_a_deadlock_is_resolved_by_running_the_batch_again(engine: Engine) -> None:
    """Another session takes b, the batch takes a, each then wants the other's row."""
    a, b = sorted([new_id(), new_id()])
    answer_all_started(engine, [a, b])
    watcher = Watcher()
    watcher.may_retry.clear()  # it would be back at a before the other has woken up
    with engine.connect() as other, other.begin():
        held = sa.text("SELECT FROM accounts WHERE member_id = :id FOR UPDATE")
        other.execute(held, {"id": b})
        pid = driver(other).info.backend_pid
        executor = accounting(engine, observer=watcher)
        with started(executor):
            call = threading.Thread(
                target=answer_all, args=(executor, [submission(a, 1), submission(b, 1)])
            )
            call.start()
            waits = "SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))"
            wait_until(lambda: number(engine, waits, pid=pid), 10, "the batch waits for b")
            other.execute(sa.text("SET LOCAL deadlock_timeout = '1h'"))
            other.execute(held, {"id": a})
            other.rollback()
            watcher.may_retry.set()
            call.join()
    assert watcher.retries == ["accounts DeadlockDetected"]
    assert [balance(engine, each) for each in (a, b)] == [2, 2]


def answer_all_started(engine: Engine, members: list[UUID]) -> None:
    """Give each member an account with 1."""
    with started(accounting(engine)) as executor:
        answer_all(executor, [submission(each, 1) for each in members])


@pytest.mark.usefixtures("failpoints")
def test_a_commit_whose_outcome_is_unknown_has_one_effect(engine: Engine, member: UUID) -> None:
    arm_failpoints({SETTING: "accounts.executor.after_commit=error@1"})
    outcomes = answer_in_one_batch(accounting(engine), [submission(member, 1) for _ in range(5)])
    assert [balance_in(each) for each in outcomes] == [1, 2, 3, 4, 5]
    assert balance(engine, member) == number(engine, "SELECT count(*) FROM outbox") == 5


@pytest.mark.usefixtures("failpoints")
def test_a_failure_before_the_commit_leaves_nothing_behind(engine: Engine, member: UUID) -> None:
    arm_failpoints({SETTING: "accounts.executor.before_commit=error"})
    outcomes = answer_in_one_batch(
        accounting(engine, retry=HOPELESS), [submission(member, 1) for _ in range(5)]
    )
    assert {refusal_in(each).category for each in outcomes} == {Category.UNAVAILABLE}
    assert number(engine, "SELECT count(*) FROM requests") == balance(engine, member) == 0


def test_an_unreachable_database_ends_as_unavailable_with_a_time_to_come_again(
    member: UUID,
) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    engine = create_engine(nowhere, application_name="accounts")
    outcomes = answer_in_one_batch(accounting(engine, retry=HOPELESS), [submission(member, 1)])
    refusal = refusal_in(outcomes[0])
    assert (refusal.category, refusal.reason) == (Category.UNAVAILABLE, "UNAVAILABLE")
    assert refusal.retry_after_seconds


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own; not in pytest's folder, which only root can pass."""
    with tempfile.TemporaryDirectory(prefix="huitouke-restart-") as folder:
        server = PostgresServer(Path(folder) / "data", free_port(), Path(folder) / "log")
        server.start()
        yield server
        server.stop()


def test_commands_survive_a_restart_of_the_database(server: PostgresServer, member: UUID) -> None:
    engine = prepared_engine(server.url())
    with started(accounting(engine, retry=RetryPolicy())) as executor:
        restarted = threading.Event()
        done: list[Executed[Message]] = []

        def keep_posting() -> None:
            while not restarted.is_set():
                done.append(executor.execute_blocking(submission(member, 1)))

        poster = threading.Thread(target=keep_posting, daemon=True)
        poster.start()
        wait_until(lambda: len(done) > 3, 10, "commands run before the restart")
        server.restart()
        before = len(done)
        wait_until(lambda: len(done) > before + 3, 10, "commands run after the restart")
        restarted.set()
        poster.join()
    assert balance(engine, member) == number(engine, "SELECT count(*) FROM outbox") == len(done)
    engine.dispose()


def test_two_replicas_racing_on_one_request_have_one_effect(engine: Engine, member: UUID) -> None:
    with started(accounting(engine)) as here, started(accounting(engine)) as there:

        async def race() -> tuple[Executed[Message], Executed[Message]]:
            request = submission(member, 1)
            return await asyncio.gather(here.execute(request), there.execute(request))

        for rounds in range(1, 31):
            first, second = asyncio.run(race())
            assert {first.replayed, second.replayed} == {False, True}
            assert first.answer == second.answer
            assert balance(engine, member) == rounds


def test_two_replicas_racing_with_one_id_for_two_requests_accept_one(engine: Engine) -> None:
    """Different members, so that no row lock orders them: the unique key has to."""
    with started(accounting(engine)) as here, started(accounting(engine)) as there:

        async def race() -> list[BaseException | Executed[Message]]:
            id_, pair = str(new_id()), (new_id(), new_id())
            calls = [
                each.execute(submission(who, 1, request_id=id_))
                for each, who in zip((here, there), pair, strict=True)
            ]
            return await asyncio.gather(*calls, return_exceptions=True)

        for _ in range(30):
            outcomes = asyncio.run(race())
            refused = [each for each in outcomes if not isinstance(each, Executed)]
            assert [refusal_in(each).fields[0].field for each in refused] == ["member_id"]
    assert number(engine, "SELECT sum(balance) FROM accounts") == 30


def test_several_writers_keep_every_balance(engine: Engine) -> None:
    members = [new_id() for _ in range(5)]
    commands = [submission(members[index % 5], 1) for index in range(500)]
    with started(accounting(engine, writers=3, batch_limit=16)) as executor:
        outcomes = answer_all(executor, commands)
    assert all(isinstance(each, Executed) for each in outcomes)
    assert [balance(engine, each) for each in members] == [100] * 5


def test_a_repository_that_hides_a_failed_statement_does_not_pass_for_committed(
    engine: Engine, member: UUID
) -> None:
    def hide(connection: Connection) -> None:
        with suppress(psycopg.errors.DivisionByZero):
            driver(connection).execute("SELECT 1 / 0")

    refused = submission(member, 5, note="busy")
    outcome = answer_in_one_batch(accounting(engine, repository=Accounts(hide)), [refused])[0]
    assert isinstance(outcome, AssertionError)
