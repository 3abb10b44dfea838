"""Random histories: the ledger against a naive one, and the invariants after every step."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.points.domain.assets import Asset, Channel
from services.points.domain.commands import (
    AuthorizeHold,
    CancelPost,
    CaptureHold,
    PostCheckout,
    ReleaseHold,
    ReverseCheckout,
    SettleDue,
    TopUpStoredValue,
)
from services.points.domain.events import (
    CheckoutPosted,
    CheckoutReversed,
    HoldAuthorized,
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    StoredValueToppedUp,
    ValueExpired,
)
from services.points.domain.purchases import Stay
from tests.unit.points.naive import NaiveLedger, NaiveLot, NaiveRefusal
from tests.unit.points.worlds import PLACE, SHANGHAI, World, purchase

SPACE = UUID("0199aaaa-0000-7000-8000-00000000ffff")

shares = st.sampled_from([0, 0, 0, 100, 333, 500, 1_000, 1_100])
"""Thousandths of what a member has, and a little more than everything."""

last_holds = st.one_of(st.just(1), st.just(1), st.integers(0, 6))
"""How far back the hold lies that is meant: 0 is one not authorised yet."""

steps = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 20, 31, 200, 370, 730])),
    st.tuples(st.just("wait a little"), st.sampled_from([1, 2, 5])),
    st.tuples(st.just("hold"), shares, shares, st.sampled_from([2, 2, 50_000, 40_000_000])),
    st.tuples(st.just("hold for a checkout"), shares, shares),
    st.tuples(st.just("hold again"), st.integers(0, 20)),
    st.tuples(st.just("capture"), last_holds, shares, shares),
    st.tuples(st.just("release"), last_holds),
    st.tuples(st.just("post held"), last_holds, st.integers(0, 90_000), shares, shares),
    st.tuples(st.just("top up"), st.sampled_from([1, 777, 50_000, 99_999, 100_000, 500_001])),
    st.tuples(st.just("post"), st.integers(0, 90_000), shares, shares),
    st.tuples(st.just("post"), st.integers(9_900, 90_000), st.just(0), st.just(0)),
    st.tuples(st.just("post late"), st.integers(0, 90_000), st.integers(0, 1_500)),
    st.tuples(st.just("post again"), st.integers(0, 50)),
    st.tuples(st.just("reverse"), st.integers(0, 50)),
    st.tuples(st.just("reverse"), st.sampled_from([-1, -1, -2])),
    st.tuples(st.just("reverse part"), st.integers(0, 50), st.integers(1, 1_200)),
    st.tuples(
        st.just("reverse part"),
        st.sampled_from([-1, -2]),
        st.sampled_from([1, 7, 333, 500, 999, 1_000]),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 50)),
    st.tuples(st.just("spend all")),
    st.tuples(st.just("expire")),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=30, max_size=60))
def test_a_ledger_agrees_with_the_naive_one_and_keeps_its_books(history: list[tuple]) -> None:  # type: ignore[type-arg]
    world, naive = World(), NaiveLedger(SHANGHAI)
    for number, drawn in enumerate(history):
        if drawn[0] in ("wait", "wait a little"):
            unit = "days" if drawn[0] == "wait" else "minutes"
            world.now += timedelta(**{unit: drawn[1]})
            continue
        step = _filled_in(naive, world, drawn)
        try:
            expected: object = _naively(naive, world, step)
        except NaiveRefusal as refusal:
            expected = str(refusal)
        try:
            done: object = _really(world, number, step)
        except Refusal as refused:
            done = refused.reason
        assert done == expected, step
        _check_books(world)
        _check_agreement(world, naive)


def _id(kind: str, number: int) -> UUID:
    return uuid5(SPACE, f"{kind} {number}")


def _filled_in(naive: NaiveLedger, world: World, step: tuple) -> tuple:  # type: ignore[type-arg]
    """The step with what depends on the history: the next checkout's key, what is tendered."""
    key = len(naive.checkouts)
    match step:
        case "post", bill, points, stored:
            has = naive.usable("CASH", world.now) + naive.usable("BONUS", world.now)
            points = naive.usable("POINTS", world.now) * points // 1000
            return "post", key, bill, points, has * stored // 1000, None
        case "post late", bill, days:
            return "post late", key, bill, days
        case ("spend all",):
            points = naive.usable("POINTS", world.now)
            return "post", key, max(points, 100), points, 0, None
        case "post again", one_of:
            return "post", one_of % (key + 1), 10_000, 0, 0, None
        case "reverse", one_of:
            return "reverse", _one_of(naive, one_of), None
        case "reverse part", one_of, thousandths:
            known = naive.checkouts.get(_one_of(naive, one_of))
            bill = known.bill if known else 1_000
            return "reverse", _one_of(naive, one_of), max(1, bill * thousandths // 1000)
        case "cancel", one_of:
            return "cancel", _one_of(naive, one_of)
        case _:
            return _hold_filled_in(naive, world, step)


def _hold_filled_in(naive: NaiveLedger, world: World, step: tuple) -> tuple:  # type: ignore[type-arg]
    key = len(naive.checkouts)
    match step:
        case "hold", points, stored, minutes:
            lives = timedelta(minutes=minutes)
            return "hold", len(naive.holds), *_of_free(naive, world, points, stored), lives, None
        case "hold for a checkout", points, stored:
            return "hold", len(naive.holds), *_of_free(naive, world, points, stored), None, key
        case "hold again", one_of:
            return "hold", one_of % (len(naive.holds) + 1), 100, 0, timedelta(minutes=1), None
        case "capture", back, points, stored:
            hold = max(0, len(naive.holds) - back)
            return "capture", hold, *_of_held(naive, hold, points, stored)
        case "release", back:
            return "release", max(0, len(naive.holds) - back)
        case "post held", back, bill, points, stored:
            hold = max(0, len(naive.holds) - back)
            own = naive.holds[hold].checkout if hold in naive.holds else None
            points, stored = _of_held(naive, hold, points, stored)
            bill += points + stored
            return "post", key if own is None else own, bill, points, stored, hold
        case _:
            return step


def _of_free(naive: NaiveLedger, world: World, points: int, stored: int) -> tuple[int, int]:
    """Amounts of a hold, which sets something aside, by their shares of what is free."""
    free = naive.usable("CASH", world.now) + naive.usable("BONUS", world.now)
    of_points = naive.usable("POINTS", world.now) * points // 1000
    of_stored = free * stored // 1000
    return (of_points, of_stored) if of_points or of_stored else (1, 0)


def _of_held(naive: NaiveLedger, key: int, points: int, stored: int) -> tuple[int, int]:
    """Amounts by their shares of what a hold has; an unknown one has nothing."""
    hold = naive.holds.get(key)
    if hold is None:
        return 100, 0
    value = hold.has("CASH") + hold.has("BONUS")
    return hold.has("POINTS") * points // 1000, value * stored // 1000


def _one_of(naive: NaiveLedger, drawn: int) -> object:
    """A checkout known or just unknown; the last one for -1, the last hold for -2."""
    if drawn == -2:
        return "hold", max(0, len(naive.holds) - 1)
    key = len(naive.checkouts)
    return drawn % (key + 1) if drawn >= 0 else max(0, key - 1)


def _naively(naive: NaiveLedger, world: World, step: tuple) -> object:  # type: ignore[type-arg]
    now = world.now
    match step:
        case "top up", amount:
            naive.top_up(amount, now)
            return None
        case "post", key, bill, points, stored, hold:
            return naive.post(key, bill, points, stored, now, now, hold)
        case "hold", key, points, stored, lives, checkout:
            return naive.authorize(key, points, stored, now, lives, checkout)
        case "capture", key, points, stored:
            return naive.capture(key, points, stored, now)
        case "release", key:
            return naive.release(key, now)
        case "post late", key, bill, days:
            return naive.post(key, bill, 0, 0, now, now - timedelta(days=days))
        case "reverse", key, amount:
            done = naive.reverse(key, amount, now)
            return (*done.back.values(), done.left, done.taken, done.owed)
        case "cancel", key:
            return naive.cancel(key, now)
        case _:
            naive.expire(now)
            return None


def _really(world: World, number: int, step: tuple) -> object:  # type: ignore[type-arg]
    member, now = world.member_id, world.now
    match step:
        case "top up", amount:
            world.do(TopUpStoredValue(member, _id("top-up", number), PLACE, amount, "CNY"))
            return None
        case "post", key, bill, points, stored, hold:
            bought = purchase(member, bill, points=points, stored=stored, occurred_at=now)
            hold_id = None if hold is None else _id("hold", hold)
            done = world.do(PostCheckout(_id("checkout", key), bought, hold_id))
            return done.posted.points_earned
        case "hold", key, points, stored, lives, checkout:
            checkout_id = None if checkout is None else _id("checkout", checkout)
            command = AuthorizeHold(
                member, _id("hold", key), PLACE, "CNY", points, stored, lives, checkout_id
            )
            return tuple(world.do(command).held)
        case "capture", key, points, stored:
            capture = CaptureHold(member, _id("hold", key), PLACE, "CNY", points, stored)
            return tuple(world.do(capture).captured)
        case "release", key:
            return world.do(ReleaseHold(member, _id("hold", key))).released.points
        case "post late", key, bill, days:
            stay = Stay(Channel.DIRECT, "", 1)
            bought = purchase(member, bill, occurred_at=now - timedelta(days=days), stay=stay)
            return world.do(PostCheckout(_id("checkout", key), bought)).posted.points_earned
        case "reverse", key, amount:
            reversal = _id("reversal", number)
            of = _id(*key) if isinstance(key, tuple) else _id("checkout", key)
            done = world.do(ReverseCheckout(member, of, reversal, PLACE, amount))
            assert done.points_restored == done.points_value_minor
            return (
                done.points_restored,
                done.cash_restored_minor,
                done.bonus_restored_minor,
                done.money_minor,
                done.left_minor,
                done.points_taken_back,
                done.debt_recorded,
            )
        case "cancel", key:
            return world.do(CancelPost(member, _id("checkout", key))).posted is None
        case _:
            world.do(SettleDue(member))
            return None


def _check_books(world: World) -> None:
    """Balance = open lots = postings; lots = their postings; versions without a gap; zero sums."""
    member = world.member
    by_lot: dict[int | None, int] = defaultdict(int)
    by_asset: dict[Asset, int] = defaultdict(int)
    debt = 0
    for entry in world.entries:
        for posting in entry.postings:
            by_lot[posting.lot_number] += posting.amount
            by_asset[posting.asset] += posting.amount
            debt += posting.amount if posting.house == "DEBT" else 0
    entries = [entry.version for entry in world.entries]
    assert entries == sorted(set(entries))
    assert set(entries) <= set(range(1, member.version + 1))
    assert [_version(event) for event in world.events] == list(range(1, member.version + 1))
    assert by_lot.pop(None, 0) == 0
    assert all(hold.state == "OPEN" for hold in member.holds.values())
    pins = [pin for hold in member.holds.values() for pin in hold.pinned()]
    assert debt == member.points_debt >= 0
    for number, lot in member.lots.items():
        assert 0 <= lot.held <= lot.remaining <= lot.amount
        assert lot.held == sum(pin.amount for pin in pins if pin.lot is lot)
        assert by_lot[number] == lot.remaining
    for account in member.accounts():
        lots = [lot for lot in member.lots.values() if lot.asset == account.asset and lot.remaining]
        free = [lot for lot in lots if lot.free]
        assert account.open_lots == sorted(free, key=lambda lot: lot.order)
        assert account.held == sum(lot.held for lot in lots)
        assert account.balance == sum(lot.remaining for lot in lots) == by_asset[account.asset]
        first = account.open_lots[0] if account.open_lots else None
        following = account.next_expiry
        assert (first and first.expires_at) == (following and following.expires_at)
        assert following is None or (first and first.free) == following.remaining


def _version(event: object) -> int:
    if isinstance(event, CheckoutPosted):
        return event.answer.posted.balances.member_version
    if isinstance(event, CheckoutReversed | StoredValueToppedUp | HoldAuthorized | HoldCaptured):
        return event.answer.balances.member_version
    assert isinstance(event, ValueExpired | HoldReleased | HoldExpired)
    return event.balances.member_version


def _check_agreement(world: World, naive: NaiveLedger) -> None:
    member = world.member
    assert member.points_debt == naive.debt

    def pinned(lot: NaiveLot) -> int:
        open_ones = [hold for hold in naive.holds.values() if hold.state == "OPEN"]
        return sum(amount for hold in open_ones for of, amount in hold.pins if of is lot)

    lots = [member.lots[number] for number in sorted(member.lots)]
    assert [
        (lot.asset, lot.remaining, lot.held, lot.earned_at, lot.expires_at, lot.expired)
        for lot in lots
    ] == [(lot.asset, lot.left, pinned(lot), lot.earned, lot.ends, lot.gone) for lot in naive.lots]
    known = world.books.holds
    for key, hold in naive.holds.items():
        assert known[_id("hold", key)].state == hold.state
    now = world.now
    for account in member.accounts():
        assert account.available(now) == naive.usable(account.asset, now)
        assert account.balance - account.due_amount(now) == naive.worth(account.asset, now)
