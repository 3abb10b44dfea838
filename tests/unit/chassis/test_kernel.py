"""Refusals and decisions."""

from __future__ import annotations

import pytest

from chassis.kernel import Category, Decision, FieldViolation, Refusal


def test_only_what_says_nothing_about_the_request_passes() -> None:
    passing = {each for each in Category if Refusal(each, "R", "m").passing}
    assert passing == {
        Category.EXHAUSTED,
        Category.UNAVAILABLE,
        Category.TOO_LATE,
        Category.ABORTED,
    }


def test_a_copy_is_equal_in_everything_and_its_own_exception() -> None:
    refusal = Refusal(
        Category.INVALID,
        "INVALID_FIELD",
        "amount is negative",
        fields=[FieldViolation("amount", "at least 0")],
        metadata={"limit": "0"},
        retry_after_seconds=1.5,
    )
    copy = refusal.copy(replayed=True)
    assert copy is not refusal
    assert (copy.replayed, refusal.replayed) == (True, False)
    for name in ("category", "reason", "message", "fields", "metadata", "retry_after_seconds"):
        assert getattr(copy, name) == getattr(refusal, name)


def test_a_decision_is_either_an_answer_or_a_refusal() -> None:
    refusal = Refusal(Category.FORBIDDEN, "WRONG_PIN", "the PIN is wrong")
    assert Decision("yes").events == ()
    assert Decision(None, ("counted",), refusal).refusal is refusal
    with pytest.raises(ValueError, match="either"):
        Decision("yes", (), refusal)
    with pytest.raises(ValueError, match="either"):
        Decision(None)
