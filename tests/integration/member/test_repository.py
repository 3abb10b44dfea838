"""The repository against real PostgreSQL: chance collisions, and one number of statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, Engine

from chassis.identifiers import new_id
from chassis.kernel import Refusal
from chassis.security import development_key_ring
from chassis.storage import sets
from chassis.storage.engine import create_engine
from services.member.converters.lunar import ChineseCalendar
from services.member.domain.answers import Answer
from services.member.domain.cards import ReplacementReason
from services.member.domain.commands import Command, ReplaceCard
from services.member.domain.deciding import decide
from services.member.storage.repository import MemberRepository
from services.member.storage.vault import Vault
from tests.integration.member.running import migrated
from tests.unit.member.guests import NOW, candidate, enrolment

REPOSITORY = MemberRepository(Vault(development_key_ring("member"), bytes(range(32))))
CALENDAR = ChineseCalendar()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = create_engine(migrated(database_url), application_name="test", index_plans=True)
    yield made
    made.dispose()


def run(connection: Connection, commands: Sequence[Command]) -> list[Answer | Refusal]:
    """One batch as the executor runs it, without requests and events."""
    book = REPOSITORY.lock(connection, commands)
    REPOSITORY.load(connection, book, commands)
    outcomes: list[Answer | Refusal] = []
    for command in commands:
        try:
            answer = decide(book, command, NOW, CALENDAR).answer
        except Refusal as refusal:
            outcomes.append(refusal)
        else:
            assert answer is not None
            outcomes.append(answer)
    REPOSITORY.save(connection, book)
    return outcomes


def test_numbers_and_codes_that_stored_members_have_are_not_given_again(engine: Engine) -> None:
    with engine.begin() as connection:
        run(connection, [enrolment(1, cards=(candidate(1),), codes=("AAAA2222",))])
    with engine.begin() as connection:
        cards, codes = (candidate(1), candidate(2)), ("AAAA2222", "AAAA3333")
        (second,) = run(connection, [enrolment(2, cards=cards, codes=codes)])
        (third,) = run(connection, [enrolment(3, cards=cards, codes=codes)])
    assert not isinstance(second, Refusal)
    assert second.member.referral_code == "AAAA3333"  # type: ignore[union-attr]
    assert second.issued.told == candidate(2)  # type: ignore[union-attr]
    assert isinstance(third, Refusal)
    assert third.passing


def test_a_replacement_draws_around_numbers_in_use(engine: Engine) -> None:
    first = enrolment(1, cards=(candidate(1),))
    with engine.begin() as connection:
        run(connection, [first])
    replacing = ReplaceCard(
        first.member_id, new_id(), ReplacementReason.DAMAGED, (candidate(1), candidate(9))
    )
    with engine.begin() as connection:
        (answer,) = run(connection, [replacing])
    assert not isinstance(answer, Refusal)
    assert answer.issued.told == candidate(9)  # type: ignore[union-attr]


def test_a_batch_of_any_size_takes_the_same_number_of_statements(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    really = sets._run

    def counted(connection: Connection, sql: str, columns: sets.Columns) -> object:
        statements.append(sql)
        return really(connection, sql, columns)

    monkeypatch.setattr(sets, "_run", counted)
    counts = []
    for start, size in ((0, 1), (1000, 256)):
        with engine.begin() as connection:
            statements.clear()
            run(connection, [enrolment(start + number) for number in range(size)])
            counts.append(len(statements))
    assert counts[0] == counts[1] <= 10
