"""Invariants that the database holds by itself, whoever writes to it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from services.member.domain.cards import CURRENT, TRANSITIONS, CardState
from tests.integration.member.requests import enrolment
from tests.integration.member.running import migrated, running


@pytest.fixture
def two_members(database_url: str, certificates: Path) -> str:
    """A database with two members and a card each."""

    async def enrol() -> None:
        async with running(migrated(database_url), certificates) as member:
            for number in (1, 2):
                await member.caller().call("Enrol", enrolment(number))

    asyncio.run(enrol())
    return database_url


def refused(database_url: str, statement: str) -> bool:
    with psycopg.connect(database_url) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.IntegrityError:
            return True
        connection.rollback()
        return False


NEVER = (
    "UPDATE members SET mobile_index = (SELECT max(mobile_index) FROM members)",
    "UPDATE members SET mobile_index = 'short'",
    "UPDATE members SET email = 'x'",
    "UPDATE members SET member_id = gen_random_uuid()",
    "UPDATE members SET referral_code = 'ZZZZ9999'",
    "UPDATE members SET enrolled_at = now()",
    "UPDATE members SET version = 0",
    "UPDATE members SET version = -1",
    "UPDATE members SET tier = 'UNHEARD_OF'",
    "UPDATE members SET referred_by = member_id",
    "UPDATE members SET language = 'xx'",
    "UPDATE cards SET number_index = decode(repeat('00', 32), 'hex')",
    "UPDATE cards SET member_id = gen_random_uuid()",
    "UPDATE cards SET state = 'UNHEARD_OF'",
    "UPDATE cards SET changed_at = issued_at - interval '1 second'",
    "DELETE FROM cards",
    "DELETE FROM members",
    "UPDATE consents SET granted = false",
    "DELETE FROM consents",
    "INSERT INTO cards SELECT member_id, gen_random_uuid(), number, sha256(number), 'ACTIVE', "
    "now(), now() FROM cards",
)


def test_what_must_never_be_is_refused_by_the_database(two_members: str) -> None:
    assert [statement for statement in NEVER if not refused(two_members, statement)] == []


def test_what_may_change_is_not_refused(two_members: str) -> None:
    assert not refused(two_members, "UPDATE members SET version = version + 1")
    assert not refused(two_members, "UPDATE cards SET number = number")


@pytest.fixture
def moved_to(two_members: str) -> Callable[[CardState], None]:
    """Brings every card into a state, past the guard."""

    def move(state: CardState) -> None:
        with psycopg.connect(two_members) as connection:
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute("UPDATE cards SET state = %s", (state,))

    return move


def test_the_database_knows_the_same_transitions_as_the_rules(
    two_members: str, moved_to: Callable[[CardState], None]
) -> None:
    for before in CardState:
        moved_to(before)
        for after in set(CardState) - {before}:
            statement = f"UPDATE cards SET state = '{after}'"
            assert refused(two_members, statement) == (after not in TRANSITIONS[before])


def test_a_member_has_one_card_in_use_in_whatever_states(
    two_members: str, moved_to: Callable[[CardState], None]
) -> None:
    for one, other in itertools.product(CardState, repeat=2):
        moved_to(one)
        second = (
            "INSERT INTO cards SELECT member_id, gen_random_uuid(), number, sha256(number), "
            f"'{other}', now(), now() FROM cards"
        )
        assert refused(two_members, second) == (one in CURRENT and other in CURRENT)
