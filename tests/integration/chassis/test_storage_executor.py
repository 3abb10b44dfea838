"""The executor against PostgreSQL: answers, replays, refusals, deadlines, overload, draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.message import Message
from sqlalchemy import Engine

from chassis.clock import ManualClock
from chassis.identifiers import new_id
from chassis.kernel import Category, Refusal
from chassis.storage import requests
from chassis.storage.executor import Executed
from tests.integration.chassis.storage_accounts import (
    Accounts,
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

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = prepared_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def member() -> UUID:
    return new_id()


def test_a_repeated_request_gets_the_first_answer_and_has_one_effect(
    engine: Engine, member: UUID
) -> None:
    with started(accounting(engine)) as executor:
        first = answer_all(executor, [submission(member, 5, request_id="r1")])[0]
        again = answer_all(executor, [submission(member, 5, request_id="r1")])[0]
    assert isinstance(first, Executed)
    assert isinstance(again, Executed)
    assert (first.replayed, again.replayed) == (False, True)
    assert balance_in(first) == balance_in(again) == balance(engine, member) == 5


def test_answers_survive_a_restart_of_the_service(engine: Engine, member: UUID) -> None:
    with started(accounting(engine)) as executor:
        answer_all(executor, [submission(member, 5, request_id="r1")])
    with started(accounting(engine)) as executor:
        assert balance_in(answer_all(executor, [submission(member, 5, request_id="r1")])[0]) == 5
    assert balance(engine, member) == 5


def test_a_refusal_is_remembered_even_when_it_would_pass_now(engine: Engine, member: UUID) -> None:
    with started(accounting(engine)) as executor:
        first = refusal_in(answer_all(executor, [submission(member, -5, request_id="r1")])[0])
        answer_all(executor, [submission(member, 100)])
        again = refusal_in(answer_all(executor, [submission(member, -5, request_id="r1")])[0])
    assert (first.reason, first.replayed) == ("INSUFFICIENT_BALANCE", False)
    assert (again.reason, again.category, again.replayed) == (
        "INSUFFICIENT_BALANCE",
        Category.PRECONDITION,
        True,
    )
    assert balance(engine, member) == 100


def test_passing_trouble_is_not_remembered(engine: Engine, member: UUID) -> None:
    with started(accounting(engine)) as executor:
        busy = submission(member, 5, request_id="r1", note="busy")
        outcomes = answer_all(executor, [busy]) + answer_all(executor, [busy])
    assert [refusal_in(each).replayed for each in outcomes] == [False, False]
    assert number(engine, "SELECT count(*) FROM requests") == 0


def test_a_failed_proof_keeps_its_count_and_event_and_is_replayed_as_a_refusal(
    engine: Engine, member: UUID
) -> None:
    with started(accounting(engine)) as executor:
        wrong = submission(member, 5, request_id="r1", pin="wrong")
        first, again = (refusal_in(answer_all(executor, [wrong])[0]) for _ in range(2))
    assert (first.reason, first.replayed, again.reason, again.replayed) == (
        "WRONG_PIN",
        False,
        "WRONG_PIN",
        True,
    )
    assert number(engine, "SELECT wrong_pins FROM accounts") == 1
    assert number(engine, "SELECT count(*) FROM outbox") == 1


def test_a_repetition_is_replayed_though_a_reuse_of_its_id_comes_before_it_in_the_batch(
    engine: Engine, member: UUID
) -> None:
    first = submission(member, 5, request_id="r1")
    with started(accounting(engine)) as executor:
        answered = answer_all(executor, [first])[0]
    reuses = [submission(member, amount, request_id="r1", note="other") for amount in (6, 5)]
    outcomes = answer_in_one_batch(accounting(engine), [reuses[0], first, reuses[1]])
    named = [refusal_in(outcomes[at]).metadata["field"] for at in (0, 2)]
    assert named == ["amount", "note"]
    assert isinstance(answered, Executed)
    assert outcomes[1] == Executed(answered.answer, replayed=True)


@pytest.mark.parametrize("same_batch", [True, False])
def test_a_reused_request_id_is_refused_naming_the_first_field_that_differs(
    engine: Engine, member: UUID, same_batch: bool
) -> None:
    first = submission(member, 5, request_id="r1")
    other = submission(member, 6, request_id="r1", note="and another note")
    if same_batch:
        outcome = answer_in_one_batch(accounting(engine), [first, other])[1]
    else:
        with started(accounting(engine)) as executor:
            answer_all(executor, [first])
            outcome = answer_all(executor, [other])[0]
    refusal = refusal_in(outcome)
    assert (refusal.category, refusal.reason) == (Category.INVALID, "REQUEST_ID_REUSED")
    assert [violation.field for violation in refusal.fields] == ["amount"]
    assert balance(engine, member) == 5


def test_duplicates_inside_a_batch_get_the_answer_of_the_first(
    engine: Engine, member: UUID
) -> None:
    same = [submission(member, 5, request_id="r1") for _ in range(64)]
    outcomes = answer_in_one_batch(accounting(engine), same)
    assert {balance_in(each) for each in outcomes} == {5}
    assert [isinstance(e, Executed) and e.replayed for e in outcomes] == [False] + [True] * 63
    assert balance(engine, member) == 5


def test_the_same_request_id_of_another_caller_is_another_request(
    engine: Engine, member: UUID
) -> None:
    mine = submission(member, 5, request_id="r1")
    theirs = type(mine)(mine.command, "other", mine.request_id, mine.fingerprint)
    answer_in_one_batch(accounting(engine), [mine, theirs])
    assert balance(engine, member) == 10


def test_a_command_without_a_fingerprint_is_not_remembered_and_never_a_duplicate(
    engine: Engine, member: UUID
) -> None:
    command = submission(member, 5, request_id="r1")
    forgetful = command._replace(fingerprint=None)
    outcomes = answer_in_one_batch(accounting(engine), [forgetful, command, forgetful])
    assert [balance_in(each) for each in outcomes] == [5, 10, 15]
    assert number(engine, "SELECT count(*) FROM requests") == 1


def test_only_commands_that_are_no_replays_are_loaded(engine: Engine, member: UUID) -> None:
    known = [submission(member, 1) for _ in range(3)]
    answer_in_one_batch(accounting(engine), known)
    repository = Accounts()
    answer_in_one_batch(accounting(engine, repository=repository), [*known, submission(member, 1)])
    assert repository.loaded == [1]


def test_a_command_past_its_deadline_never_runs(engine: Engine, member: UUID) -> None:
    late = submission(member, 5, deadline_monotonic=time.monotonic() - 0.001)
    in_time = submission(member, 7, deadline_monotonic=time.monotonic() + 60)
    outcomes = answer_in_one_batch(accounting(engine), [late, in_time])
    refusal = refusal_in(outcomes[0])
    assert (refusal.category, refusal.reason) == (Category.TOO_LATE, "DEADLINE_PASSED")
    assert balance(engine, member) == balance_in(outcomes[1]) == 7


def test_a_full_queue_turns_newcomers_away_with_a_time_to_come_again(
    engine: Engine, member: UUID
) -> None:
    executor = accounting(engine, queue_limit=2)
    outcomes = answer_in_one_batch(executor, [submission(member, 1) for _ in range(3)])
    refusal = refusal_in(outcomes[2])
    assert (refusal.category, refusal.reason) == (Category.EXHAUSTED, "OVERLOADED")
    assert refusal.retry_after_seconds
    assert [balance_in(each) for each in outcomes[:2]] == [1, 2]


def test_a_caller_that_gives_up_before_the_transaction_takes_its_command_back(
    engine: Engine, member: UUID
) -> None:
    executor = accounting(engine)

    async def main() -> None:
        impatient = asyncio.ensure_future(executor.execute(submission(member, 5)))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.gather(impatient, return_exceptions=True)
        executor.start()
        await executor.execute(submission(member, 7))

    asyncio.run(main())
    executor.stop()
    assert balance(engine, member) == 7


def test_stop_finishes_what_is_queued_and_refuses_what_comes_after(
    engine: Engine, member: UUID
) -> None:
    executor = accounting(engine, batch_limit=4)

    async def main() -> list[Executed[Message] | BaseException]:
        calls = [asyncio.ensure_future(executor.execute(submission(member, 1))) for _ in range(9)]
        await asyncio.sleep(0)
        executor.start()
        await asyncio.to_thread(executor.stop)
        after = asyncio.ensure_future(executor.execute(submission(member, 1)))
        return await asyncio.gather(*calls, after, return_exceptions=True)

    *queued, after = asyncio.run(main())
    assert all(isinstance(each, Executed) for each in queued)
    assert isinstance(after, Refusal)
    assert after.category is Category.UNAVAILABLE
    assert balance(engine, member) == 9


def test_a_batch_call_returns_answers_and_refusals_in_order(engine: Engine, member: UUID) -> None:
    with started(accounting(engine)) as executor:
        amounts = [5, -100, 7]
        outcomes = asyncio.run(executor.execute_many([submission(member, a) for a in amounts]))
        assert asyncio.run(executor.execute_many([])) == []
    assert balance_in(outcomes[0]) == 5
    assert refusal_in(outcomes[1]).reason == "INSUFFICIENT_BALANCE"
    assert balance_in(outcomes[2]) == 12


def test_a_thread_without_a_loop_gets_answers_and_refusals(engine: Engine, member: UUID) -> None:
    with started(accounting(engine)) as executor:
        assert balance_in(executor.execute_blocking(submission(member, 5))) == 5
        with pytest.raises(Refusal, match="INSUFFICIENT_BALANCE"):
            executor.execute_blocking(submission(member, -6))


def test_now_is_never_before_the_members_last_posting(engine: Engine, member: UUID) -> None:
    for now in (NOON, NOON - timedelta(minutes=1)):
        with started(accounting(engine, clock=ManualClock(now))) as executor:
            answer_all(executor, [submission(member, 1)])
    moments = number(engine, "SELECT count(DISTINCT posted_at) FROM journal")
    assert (moments, number(engine, "SELECT count(*) FROM journal")) == (1, 2)


def test_nothing_of_a_request_but_its_macs_is_kept(engine: Engine, member: UUID) -> None:
    answer_in_one_batch(accounting(engine), [submission(member, 5, note="19900000000")])
    found = "SELECT count(*) FROM requests WHERE position(:note IN field_macs || outcome) > 0"
    assert number(engine, found, note=b"19900000000") == 0


def test_requests_are_forgotten_from_before_an_instant_and_no_others(
    engine: Engine, member: UUID
) -> None:
    for day in (0, 1):
        clock = ManualClock(NOON + timedelta(days=day))
        with started(accounting(engine, clock=clock)) as executor:
            answer_all(executor, [submission(member, 1) for _ in range(5)])
    with engine.begin() as connection:
        assert requests.purge(connection, NOON + timedelta(hours=1), 10) == 5
    assert number(engine, "SELECT count(*) FROM requests") == 5
