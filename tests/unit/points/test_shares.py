"""Shares by largest remainder."""

from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.shares import allocate

weights = st.lists(st.integers(0, 10**11), min_size=1, max_size=50).filter(any)


@given(weights, st.integers(0, 10**6))
def test_shares_add_up_stay_within_one_of_exact_and_never_exceed_their_weight(
    parts: list[int], thousandths: int
) -> None:
    whole = sum(parts)
    total = whole * thousandths // 10**6
    shares = allocate(total, parts)
    assert sum(shares) == total
    for share, part in zip(shares, parts, strict=True):
        assert share * whole - whole < total * part < share * whole + whole
        assert 0 <= share <= part


def test_the_odd_unit_goes_to_the_largest_remainder_then_to_the_earlier() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(5, [10, 30, 20]) == [1, 2, 2]


def test_nothing_is_divided_among_nobody() -> None:
    assert allocate(0, []) == []
    assert allocate(0, [0, 0]) == [0, 0]
