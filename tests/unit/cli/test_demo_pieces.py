"""The pieces of the day that can be wrong by themselves."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.messaging.cloudevents import Received
from cli.amounts import yuan
from cli.demo.evidence import delivery
from cli.demo.guests import forged


def luhn_holds(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def with_check_digit(stem: str) -> str:
    return next(stem + digit for digit in "0123456789" if luhn_holds(stem + digit))


@given(st.from_regex(r"8866[0-9]{11}", fullmatch=True))
def test_a_forged_card_is_another_number_whose_check_digit_is_right(stem: str) -> None:
    number = with_check_digit(stem)
    assert forged(number) != number
    assert luhn_holds(forged(number))


@pytest.mark.parametrize(
    ("fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123_456_789, "1,234,567.89")]
)
def test_fen_are_shown_as_yuan(fen: int, text: str) -> None:
    assert yuan(fen) == text


def event(key: UUID, version: int) -> Received:
    return Received("a.b.C", "huitouke.points", key, version, uuid4(), datetime.now(UTC), b"")


def test_a_repeated_event_is_counted_once_and_leaves_no_gap() -> None:
    key = uuid4()
    first, second = event(key, 1), event(key, 2)
    came = delivery([first, second, first])
    assert (came.received, came.distinct, came.gaps) == (3, 2, [])


def test_a_missing_version_is_told() -> None:
    key = uuid4()
    assert len(delivery([event(key, 1), event(key, 3)]).gaps) == 1
