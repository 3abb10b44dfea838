"""What a repository of the ledger promises: the same of tables in memory as of PostgreSQL.

Histories are proven by the thousand in memory; these tests are why that says something about
PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import UniqueViolation

from chassis.clock import ManualClock
from chassis.storage.batches import taken_meanwhile
from chassis.storage.outbox import OutboxEvent
from chassis.storage.requests import Fingerprint, Remembered, ToRemember
from services.points.domain.accounts import Account
from services.points.domain.assets import Asset
from services.points.domain.books import Books
from services.points.domain.commands import (
    CancelPost,
    Command,
    PostCheckout,
    SettleDue,
    members_of,
)
from services.points.domain.lots import Lot
from services.points.domain.records import CheckoutState
from tests.integration.points.storages import (
    MEMORY,
    POSTGRESQL,
    Storage,
    buy,
    in_memory,
    nothing,
    on_postgresql,
    reverse,
    top_up,
)
from tests.points_memory.repository import unwritten
from tests.unit.points.worlds import START, TERMS, programme, purchase


@pytest.fixture(params=[MEMORY, POSTGRESQL])
def storage(request: pytest.FixtureRequest) -> Storage:
    """A ledger with the default programme of the unit tests, and nothing else."""
    clock = ManualClock(START)
    if request.param == MEMORY:
        made = in_memory(clock)
    else:
        made = on_postgresql(clock, request.getfixturevalue("ledger_url"))
    made.publish(programme(months=2))
    return made


def test_the_repository_in_memory_writes_every_kind_of_change() -> None:
    assert set(unwritten()) == set()


def test_a_member_that_nobody_knows_has_nothing(storage: Storage) -> None:
    books = storage.look(SettleDue(uuid4()))
    (member,) = books.members.values()
    assert [account.balance for account in member.accounts()] == [0, 0, 0]
    assert (member.version, member.last_posted_at, books.not_before) == (0, None, None)


def test_what_was_saved_is_loaded_again(storage: Storage) -> None:
    member = uuid4()
    storage.do(top_up(member), buy(member, 30_000))
    books = storage.look(SettleDue(member))
    found = books.members[member]
    assert [account.balance for account in found.accounts()] == [300, 50_000, 3_000]
    assert (found.version, found.last_lot_number, found.points_debt) == (2, 3, 0)
    assert books.not_before == found.last_posted_at == START
    first = found.points.next_expiry
    assert first is not None
    assert (first.earned_at, first.remaining) == (START, 300)
    assert found.bonus.next_expiry is not None
    assert found.cash.next_expiry is None


def test_members_are_kept_apart(storage: Storage) -> None:
    one, other = uuid4(), uuid4()
    storage.do(buy(one, 30_000), buy(other, 10_000), buy(one, 20_000))
    books = storage.look(SettleDue(one), SettleDue(other))
    assert {key: each.points.balance for key, each in books.members.items()} == {
        one: 500,
        other: 100,
    }


def test_earning_loads_no_lots(storage: Storage) -> None:
    member = uuid4()
    storage.do(buy(member, 30_000))
    books = storage.look(buy(member, 30_000))
    assert [each.open_lots for each in books.members[member].accounts()] == [None, None, None]


@pytest.mark.parametrize("needed", [100, 950, 4_000])
def test_spending_loads_the_first_lots_until_the_need_is_covered_and_one_more(
    storage: Storage, needed: int
) -> None:
    member = uuid4()
    numbers = [7, 3, 30, 21, 14, 28, 1, 9, 17, 25, 5, 11]  # days back: earned out of order
    for back in numbers:
        storage.do(buy(member, 10_000 * back, START - timedelta(days=back)))
    books = storage.look(buy(member, 100_000, points=needed))
    loaded = books.members[member].points.open_lots
    assert loaded is not None
    assert [lot.order for lot in loaded] == sorted(lot.order for lot in loaded)
    by_order = sorted((lot.order, 100 * back) for lot, back in _numbered(storage, member, numbers))
    assert [(lot.order, lot.remaining) for lot in loaded] == by_order[: len(loaded)]
    covered = sum(lot.remaining for lot in loaded[:-1])
    assert covered >= needed or len(loaded) == len(numbers)


def _numbered(storage: Storage, member: UUID, numbers: list[int]) -> list[tuple[Lot, int]]:
    """Every lot of the member with the day it was earned on, as a reversal would load them all."""
    books = storage.look(buy(member, 1, points=2**40))
    return [(books.members[member].lots[at], back) for at, back in enumerate(numbers, 1)]


def test_what_is_due_covers_no_need_and_is_loaded_whatever_is_done(storage: Storage) -> None:
    member = uuid4()
    for _ in range(11):
        storage.do(buy(member, 10_000))
    storage.clock.advance(timedelta(days=60))
    later = storage.clock.now()
    storage.do(buy(member, 20_000, later))
    storage.clock.advance(timedelta(days=30))
    for command in (buy(member, 10_000, storage.clock.now()), SettleDue(member)):
        lots = storage.look(command).members[member].points.open_lots
        assert lots is not None
        assert [lot.due(storage.clock.now()) for lot in lots] == [True] * 11 + [False]
    spending = buy(member, 10_000, storage.clock.now(), points=100)
    lots = storage.look(spending).members[member].points.open_lots
    assert lots is not None
    assert len(lots) == 12


def test_a_reversal_loads_the_lots_it_returns_to_though_they_are_exhausted(
    storage: Storage,
) -> None:
    member = uuid4()
    storage.do(buy(member, 30_000), top_up(member))
    dinner = buy(member, 60_000, points=300, stored=53_000)
    storage.do(dinner)
    books = storage.look(reverse(dinner))
    found = books.members[member]
    assert {number: found.lots[number].remaining for number in (1, 2, 3)} == {1: 0, 2: 0, 3: 0}
    assert all(lot.remaining for lot in found.points.open_lots or [])
    checkout = books.checkouts[dinner.checkout_id]
    assert checkout.entry is not None
    assert sum(posting.amount for posting in checkout.entry.postings if posting.amount < 0) == (
        -300 - 53_000
    )


def test_a_checkout_is_known_with_its_answer_where_that_is_asked_for(storage: Storage) -> None:
    member, dinner = uuid4(), buy(uuid4(), 30_000)
    (posted,) = storage.do(dinner)
    again = PostCheckout(dinner.checkout_id, purchase(member, 10_000))
    known = storage.look(again).checkouts[dinner.checkout_id]
    assert (known.member_id, known.state) == (dinner.member_id, CheckoutState.POSTED)
    doubt = CancelPost(dinner.member_id, dinner.checkout_id)
    assert storage.look(doubt).checkouts[dinner.checkout_id].answer == posted


def test_ids_that_are_taken_are_known_for_ever(storage: Storage) -> None:
    member, dinner = uuid4(), buy(uuid4(), 30_000)
    voucher, reversal = top_up(member), reverse(dinner)
    storage.do(dinner, voucher)
    storage.do(reversal)
    storage.clock.advance(timedelta(days=4_000))
    again = top_up(uuid4(), 1, voucher.top_up_id), reverse(dinner, reversal.reversal_id)
    books = storage.look(*again)
    assert books.top_up_ids == {voucher.top_up_id}
    assert books.reversal_ids == {reversal.reversal_id}
    closed = books.checkouts[dinner.checkout_id]
    assert (closed.state, closed.resolved_at) == (CheckoutState.REVERSED, START)


def test_a_fenced_checkout_stays_fenced(storage: Storage) -> None:
    doubt = CancelPost(uuid4(), uuid4())
    storage.do(doubt)
    fenced = storage.look(doubt).checkouts[doubt.checkout_id]
    assert (fenced.state, fenced.resolved_at) == (CheckoutState.CANCELLED, START)
    assert fenced.answer is None
    assert fenced.entry is None


def test_a_batch_whose_commands_build_on_each_other_is_saved_as_one(storage: Storage) -> None:
    member = uuid4()
    dinner = buy(member, 30_000)
    lunch = buy(member, 10_000, points=200)
    storage.do(dinner, lunch, reverse(lunch), reverse(dinner))
    books = storage.look(buy(member, 10_000, points=100), reverse(lunch))
    assert books.members[member].points.balance == 0
    assert books.members[member].version == 4
    assert books.checkouts[lunch.checkout_id].state is CheckoutState.REVERSED


@pytest.mark.parametrize(
    "commands",
    [
        lambda id_: (
            PostCheckout(id_, purchase(uuid4(), 100)),
            PostCheckout(id_, purchase(uuid4(), 100)),
        ),
        lambda id_: (CancelPost(uuid4(), id_), PostCheckout(id_, purchase(uuid4(), 100))),
        lambda id_: (top_up(uuid4(), 1, id_), top_up(uuid4(), 1, id_)),
    ],
    ids=["checkouts", "a fence", "top-ups"],
)
def test_an_id_that_another_transaction_took_meanwhile_reruns_the_batch(
    storage: Storage, commands: Callable[[UUID], tuple[Command, Command]]
) -> None:
    slow, quick = commands(uuid4())

    def attempt() -> None:
        with storage.transactions.begin() as transaction:
            books, _ = storage.decided(transaction, slow)
            storage.do(quick)
            storage.repository.save(transaction.connection, books)

    with pytest.raises((psycopg.errors.SerializationFailure, UniqueViolation)) as failed:
        attempt()
    if isinstance(failed.value, UniqueViolation):  # the executor reruns the batch then
        assert taken_meanwhile(failed.value, storage.repository)
    (member,) = members_of(slow)
    assert storage.look(SettleDue(member)).members[member].version == 0


def test_a_transaction_that_fails_leaves_nothing(storage: Storage) -> None:
    member, voucher = uuid4(), top_up(uuid4())
    command = buy(member, 30_000)
    asked = ToRemember("gateway", "r", Fingerprint("m", b"x"), b"A")

    def attempt() -> None:
        with storage.transactions.begin() as transaction:
            books, _ = storage.decided(transaction, command, voucher)
            storage.repository.save(transaction.connection, books)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        attempt()
    books = storage.look(SettleDue(member), command, voucher)
    assert books.members[member].points.balance == 0
    assert books.checkouts == {}
    assert books.top_up_ids == set()
    assert storage.outbox() == []
    with storage.transactions.begin() as transaction:
        assert transaction.remembered([(asked.caller, asked.request_id)])() == {}


def test_events_and_remembered_requests_are_committed_with_their_effect(storage: Storage) -> None:
    member = uuid4()
    events = [OutboxEvent(member, "member", "x.Y", b"", number, START) for number in (1, 2)]
    asked = ToRemember("gateway", "r", Fingerprint("m", b"x"), b"A")
    with storage.transactions.begin() as transaction:
        transaction.commit(nothing, events, ["", ""], [asked], START)
    assert storage.outbox() == [(member, 1), (member, 2)]
    with storage.transactions.begin() as transaction:
        keys = [("gateway", "r"), ("operator", "r")]
        assert transaction.remembered(keys)() == {keys[0]: Remembered("m", b"x", b"A")}


def test_a_request_that_another_transaction_remembered_meanwhile_rolls_everything_back(
    storage: Storage,
) -> None:
    member = uuid4()
    asked = ToRemember("gateway", "r", Fingerprint("m", b"x"), b"A")
    with storage.transactions.begin() as transaction:
        transaction.commit(nothing, [], [], [asked], START)

    def attempt() -> None:
        with storage.transactions.begin() as transaction:
            books, _ = storage.decided(transaction, buy(member, 30_000))
            storage.repository.save(transaction.connection, books)
            transaction.commit(nothing, [], [], [asked], START)

    with pytest.raises(psycopg.errors.UniqueViolation):
        attempt()
    assert storage.look(SettleDue(member)).members[member].version == 0


def test_a_programme_published_meanwhile_is_known_to_the_next_batch(storage: Storage) -> None:
    assert storage.look(SettleDue(uuid4())).programmes.valid_at(START).version == 2
    storage.publish(replace(programme(), valid_from=START))
    books = storage.look(SettleDue(uuid4()))
    assert books.programmes.valid_at(START).version == 3
    assert books.programmes.valid_at(START - timedelta(seconds=1)).version == 2
    assert books.programmes.valid_at(START).stored_value == TERMS


def _overdraw(books: Books, member: UUID) -> None:
    books.members[member].points = Account(Asset.POINTS, -1)


def _take_too_much(books: Books, member: UUID) -> None:
    books.members[member].lots[4].remaining = -1


def _leave_too_much(books: Books, member: UUID) -> None:
    books.members[member].lots[4].remaining = 10**9


def _move_nothing(books: Books, member: UUID) -> None:
    books.changes.entries[-1].postings[0].amount = 0


def _end_below_zero(books: Books, member: UUID) -> None:
    books.changes.entries[-1].postings[0].balance_after = -1


def _move_no_lot(books: Books, member: UUID) -> None:
    for posting in books.changes.entries[-1].postings:
        posting.lot_number = None


def _owe_less_than_nothing(books: Books, member: UUID) -> None:
    books.members[member].points_debt = -1


def _post_again(books: Books, member: UUID) -> None:
    books.changes.entries[-1].version = 1


def _let_cash_expire(books: Books, member: UUID) -> None:
    books.members[member].lots[4].asset = Asset.CASH


@pytest.mark.parametrize(
    "damage",
    [
        _overdraw,
        _owe_less_than_nothing,
        _take_too_much,
        _leave_too_much,
        _let_cash_expire,
        _move_nothing,
        _end_below_zero,
        _move_no_lot,
        _post_again,
    ],
)
def test_what_breaks_an_invariant_is_refused_and_nothing_is_saved(
    storage: Storage, damage: Callable[[Books, UUID], None]
) -> None:
    member = uuid4()
    storage.do(buy(member, 30_000), top_up(member))

    def attempt() -> None:
        with storage.transactions.begin() as transaction:
            books, _ = storage.decided(transaction, buy(member, 30_000, points=200))
            damage(books, member)
            storage.repository.save(transaction.connection, books)
            transaction.commit(nothing, [], [], [], START)

    with pytest.raises((AssertionError, psycopg.errors.IntegrityError)):
        attempt()
    found = storage.look(SettleDue(member)).members[member]
    assert (found.version, found.points.balance, found.points_debt) == (2, 300, 0)


def test_what_is_loaded_can_be_changed_without_changing_what_is_stored(storage: Storage) -> None:
    member, dinner = uuid4(), buy(uuid4(), 30_000)
    storage.do(buy(member, 30_000), dinner)
    books = storage.look(buy(member, 10_000, points=100), reverse(dinner))
    books.members[member].lots[1].remaining = 1
    books.members[member].points.balance = 1
    books.checkouts[dinner.checkout_id].state = CheckoutState.CANCELLED
    again = storage.look(buy(member, 10_000, points=100), reverse(dinner))
    assert again.members[member].lots[1].remaining == 300
    assert again.members[member].points.balance == 300
    assert again.checkouts[dinner.checkout_id].state is CheckoutState.POSTED


def test_lots_are_numbered_on_where_the_last_batch_ended(storage: Storage) -> None:
    member = uuid4()
    for _ in range(3):
        storage.do(buy(member, 10_000), buy(member, 10_000))
    books = storage.look(buy(member, 1, points=2**40))
    numbers = sorted(books.members[member].lots)
    assert all(later == earlier + 1 for earlier, later in pairwise(numbers))
    assert books.members[member].last_lot_number == 6
