"""When a call is repeated: passing troubles only, within a budget."""

import pytest

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc.retries import RetryBudget, RetryPolicy

AWAY = Refusal(Category.UNAVAILABLE, "UNAVAILABLE", "away")


@pytest.mark.parametrize("category", list(Category))
def test_only_troubles_that_pass_by_themselves_are_repeated(category: Category) -> None:
    pause = RetryPolicy().pause_seconds(1, Refusal(category, "ANY", "any"))
    repeated = {Category.UNAVAILABLE, Category.EXHAUSTED, Category.ABORTED}
    assert (pause is not None) == (category in repeated)


def test_a_call_is_given_up_after_its_last_attempt() -> None:
    policy = RetryPolicy(attempts_max=3)
    assert policy.pause_seconds(2, AWAY) is not None
    assert policy.pause_seconds(3, AWAY) is None


def test_pauses_grow_to_a_ceiling_and_never_undercut_what_the_server_asks() -> None:
    policy = RetryPolicy(attempts_max=50, first_pause_seconds=0.1, longest_pause_seconds=0.5)
    pauses = [policy.pause_seconds(attempt, AWAY) or 0.0 for attempt in range(1, 40)]
    assert max(pauses) <= 0.5
    asked = Refusal(Category.EXHAUSTED, "OVERLOADED", "wait", retry_after_seconds=0.7)
    assert policy.pause_seconds(1, asked) == 0.7


def test_an_empty_budget_forbids_retries_until_calls_are_answered_again() -> None:
    budget = RetryBudget(tokens_max=2, earned_per_call=0.5)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert not budget.spend()
    budget.earn()
    assert budget.spend()
