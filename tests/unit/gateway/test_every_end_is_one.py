"""Whatever crashes, is lost, late or repeated: each checkout ends the same on every participant."""

from __future__ import annotations

from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.checkouts import Phase, State
from gateway.domain.events import CheckoutCancelled, CheckoutCommitted, CheckoutOpened
from tests.fakes import NOW, FakeLedger
from tests.unit.gateway.worlds import MEMBER, Fate, World, arrive

REFUSED_AS_MISPRICED = "mispriced-refused"
"""Begins the requests that the ledger refuses to post; it posts what is `mispriced` otherwise."""
SPENT = "mispriced-spent"
"""Begins those that it posts, whose points are spent before anybody undoes them."""
MISPRICED = ("mispriced", SPENT, REFUSED_AS_MISPRICED)
MISPRICED_TABS = tuple(f"{each}-tab" for each in MISPRICED)
REQUESTS = (
    "plain", "with-coupon", "same-coupon", "too-poor", "too-poor-for-coupon", *MISPRICED,
)  # fmt: skip
COUPONED = {"with-coupon", "same-coupon", "too-poor-for-coupon", *MISPRICED}
TABS = ("tab", "tab-with-coupon", "tab-of-nothing", "too-poor-tab", "plain", *MISPRICED_TABS)
"""What is opened first; `plain` is used for both."""

AHEAD = st.integers(0, 6)
"""How many messages of a call are answered before anything else happens."""


class _PoorLedger(FakeLedger):
    """A ledger that refuses what a checkout's request says in its name."""

    def _check(self, request: bytes, checkout: str) -> None:
        if checkout.startswith("too-poor"):
            self.insufficient.add(checkout)
        if checkout.startswith(REFUSED_AS_MISPRICED):
            self.unexpected.add(checkout)
        if checkout.startswith(SPENT):
            self.spent.add(checkout)
        super()._check(request, checkout)


class Checkouts(RuleBasedStateMachine):
    """Tills, repetitions, cancellations, deadlines and recoveries, stepped in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(ledger=_PoorLedger())
        self.taken: set[UUID] = set()

    @rule(request=st.sampled_from(REQUESTS), ahead=AHEAD)
    def call(self, request: str, ahead: int) -> None:
        self.world.call(request, coupon=request in COUPONED, mispriced=request in MISPRICED)
        self._undisturbed(ahead)

    @rule(request=st.sampled_from(TABS), ahead=AHEAD)
    def open(self, request: str, ahead: int) -> None:
        coupon, value = request == "tab-with-coupon", request != "tab-of-nothing"
        self.world.open(request, coupon=coupon, value=value)
        self._undisturbed(ahead)

    @rule(request=st.sampled_from(TABS), bill=st.sampled_from(["small", "large"]), ahead=AHEAD)
    def commit(self, request: str, bill: str, ahead: int) -> None:
        before = len(self.world.drivers)
        self.world.commit(request, bill, mispriced=request in MISPRICED_TABS)
        if len(self.world.drivers) > before:
            self._undisturbed(ahead)

    @rule()
    def deadlines_pass(self) -> None:
        self.world.pass_time()

    @rule(request=st.sampled_from([*REQUESTS, *TABS]))
    def cancel(self, request: str) -> None:
        self.world.cancel(request)

    @rule(give_up=st.booleans())
    def recover(self, give_up: bool) -> None:
        self.world.recover(give_up=give_up)

    @precondition(lambda self: self.world.drivers)
    @rule(which=st.integers(0, 99), fate=st.sampled_from([*Fate, Fate.ANSWERED, Fate.ANSWERED]))
    def step(self, which: int, fate: Fate) -> None:
        self.world.step(self.world.drivers[which % len(self.world.drivers)], fate)

    @precondition(lambda self: self.world.late)
    @rule(which=st.integers(0, 99))
    def something_arrives_late(self, which: int) -> None:
        arrive(self.world.late.pop(which % len(self.world.late)))

    def _undisturbed(self, messages: int) -> None:
        """Let the newest driver's first messages be answered: chance alone seldom goes so far."""
        driver = self.world.drivers[-1]
        for _ in range(messages):
            if driver in self.world.drivers:
                self.world.step(driver, Fate.ANSWERED)

    @invariant()
    def each_decision_is_told_once_in_order(self) -> None:
        events = self.world.journal.events
        assert [event.version for event in events] == list(range(1, len(events) + 1))
        opened = [e.checkout_id for e in events if isinstance(e, CheckoutOpened)]
        decided = [e.checkout_id for e in events if not isinstance(e, CheckoutOpened)]
        assert len(opened) == len(set(opened))
        assert len(decided) == len(set(decided))
        first = {event.checkout_id: event for event in reversed(events)}
        assert all(isinstance(first[each], CheckoutOpened) for each in opened)

    @invariant()
    def what_waits_ends_by_its_commit_its_cancellation_or_its_deadline(self) -> None:
        world = self.world
        for record in world.journal.records.values():
            if record.phase is Phase.COMMITTING and record.checkout_id not in self.taken:
                assert world.journal.now == NOW, "nothing is taken after its deadline"
                self.taken.add(record.checkout_id)
            if record.phase is Phase.WAITING and record.state is State.CANCELLED:
                given_up = record.opening.request_id in world.given_up
                assert given_up or world.journal.now > NOW

    @invariant()
    def what_tills_were_told_stands(self) -> None:
        for request, answers in self.world.answers.items():
            states = {
                record.state
                for record in self.world.journal.records.values()
                if record.opening.request_id == request
            }
            assert set(answers) <= states
            assert len(states) <= 1

    def teardown(self) -> None:
        self.world.settle()
        self.what_tills_were_told_stands()
        world = self.world
        for record in world.journal.records.values():
            name = record.opening.plan.cancel_post.decode().partition(":")[2]
            assert record.state is not State.OPEN
            if record.state is State.COMMITTED:
                assert world.ledger.posted[name].answer == record.opening.plan.post
                held = bool(record.opening.plan.authorize)
                assert (name in world.ledger.authorized) is held
            elif record.checkout_id in self.taken:
                assert record.opening.request_id in MISPRICED_TABS, "a commit that is taken happens"
            if name.startswith(REFUSED_AS_MISPRICED):
                assert name not in world.ledger.posted
            effective = name in world.ledger.posted and name not in world.ledger.reversed
            assert effective is (record.state is State.COMMITTED)
            if record.opening.plan.reserve:
                redeemed = world.coupons.redeemed_by == name
                assert redeemed is (record.state is State.COMMITTED)
            assert world.coupons.holder != name or record.state is State.COMMITTED
            if record.opening.request_id.startswith(("too-poor", "mispriced")):
                assert record.state is State.CANCELLED
        assert world.ledger.holds == set()
        self._nothing_happened_without_a_record()
        assert world.journal.versions.get(MEMBER, 0) == len(world.journal.events)
        assert all(
            isinstance(event, CheckoutOpened | CheckoutCommitted | CheckoutCancelled)
            for event in world.journal.events
        )

    def _nothing_happened_without_a_record(self) -> None:
        known = {
            record.opening.plan.cancel_post.decode().partition(":")[2]
            for record in self.world.journal.records.values()
        }
        assert set(self.world.ledger.posted) <= known
        assert self.world.ledger.authorized <= known
        assert self.world.coupons.reserved <= known


TestCheckouts = Checkouts.TestCase
TestCheckouts.settings = settings(max_examples=400, stateful_step_count=60, deadline=None)
