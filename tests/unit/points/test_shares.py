"""Shares by largest remainder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.shares import allocate, allocate_further

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


@pytest.mark.parametrize(
    ("total", "parts", "given_before", "shares"),
    [
        (0, [3, 4], [0, 0], [0, 0]),
        (7, [3, 4], [1, 2], [3, 4]),
        # Nothing handed out stands above its proportion: plain largest remainder.
        (5, [10, 30, 20], [0, 0, 0], [1, 2, 2]),
        (5, [10, 30, 20], [0, 2, 1], [1, 2, 2]),
        (100, [100, 100, 100], [33, 33, 33], [34, 33, 33]),
        # 5 were handed out where 3 are due: the others wait for it, the later one first.
        (10, [10, 10, 10], [5, 0, 0], [5, 3, 2]),
        (9, [10, 10, 10], [5, 0, 0], [5, 2, 2]),
        (9, [10, 10, 10], [0, 5, 0], [2, 5, 2]),
        (9, [10, 10, 10], [5, 0, 3], [5, 1, 3]),
        # Due are 4, 2.8 and 5.2: whoever lacks least of its proportion waits first.
        (12, [10, 7, 13], [8, 0, 0], [8, 1, 3]),
        (13, [10, 7, 13], [8, 0, 0], [8, 1, 4]),
        (14, [10, 7, 13], [8, 0, 0], [8, 2, 4]),
    ],
)
def test_what_was_handed_out_stays_and_the_rest_goes_where_most_is_lacking(
    total: int, parts: list[int], given_before: list[int], shares: list[int]
) -> None:
    assert allocate_further(total, parts, given_before) == shares


@given(weights, st.lists(st.integers(0, 10**6), max_size=6), st.data())
def test_shares_only_grow_add_up_and_end_at_their_weights(
    parts: list[int], thousandths: list[int], data: st.DataObject
) -> None:
    whole, shares = sum(parts), [0] * len(parts)
    for each in [*sorted(thousandths), 10**6]:
        total, before = whole * each // 10**6, shares
        shares = allocate_further(total, parts, before)
        assert sum(shares) == total
        for has, share, part in zip(before, shares, parts, strict=True):
            assert has <= share <= part
        plain = allocate(total, parts)
        if all(has <= share for has, share in zip(before, plain, strict=True)):
            assert shares == plain
    assert shares == parts


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6).filter(any), st.data())
def test_nobody_waits_who_stands_further_below_his_proportion_than_one_who_does_not(
    parts: list[int], data: st.DataObject
) -> None:
    whole = sum(parts)
    given_before = [data.draw(st.integers(0, part)) for part in parts]
    total = data.draw(st.integers(sum(given_before), whole))
    shares = allocate_further(total, parts, given_before)
    assert sum(shares) == total
    lacking = [total * part - share * whole for part, share in zip(parts, shares, strict=True)]
    for at, share in enumerate(shares):
        assert given_before[at] <= share <= parts[at]
        for other in range(len(parts)):
            if shares[other] > given_before[other]:
                # Taking one from the other and giving it here would not bring both closer.
                assert lacking[at] - lacking[other] <= whole or share == parts[at]
