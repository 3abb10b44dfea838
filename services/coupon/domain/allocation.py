"""Splitting an amount exactly: shares by largest remainder, nothing lost and nothing made."""

from collections.abc import Sequence


def allocate(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `amount` in proportion to `weights`; the shares add up to it exactly.

    Takes an `amount` from 0 to the sum of the weights, none of them negative; no share is larger
    than its weight. What rounding down leaves goes, one unit each, to the largest remainders,
    equal ones in the order of the weights.
    """
    whole = sum(weights)
    assert 0 <= amount <= whole, "an allocation takes no more than there is"
    if not amount:
        return (0,) * len(weights)
    shares = [amount * weight // whole for weight in weights]
    remainders = [amount * weight % whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -remainders[place])
    for place in by_remainder[: amount - sum(shares)]:
        shares[place] += 1
    return tuple(shares)
