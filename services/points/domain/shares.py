"""Dividing an amount exactly: shares by largest remainder, in integers."""

from __future__ import annotations

from collections.abc import Sequence


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` in proportion to `weights`; the shares add up to it exactly.

    Each share is its exact proportion rounded down, or up for the largest remainders (the earlier
    one where remainders are equal). So where `total` is at most the weights' sum, no share is
    above its weight. Without any weight nothing can be divided: `total` must then be 0.
    """
    whole = sum(weights)
    assert total >= 0, "only what exists is divided"
    if not total:
        return [0] * len(weights)
    assert whole > 0, "nobody is there to share"
    if len(weights) == 1:
        return [total]
    shares = [total * weight // whole for weight in weights]
    missing = total - sum(shares)
    if missing:
        by_remainder = sorted(
            range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at)
        )
        for at in by_remainder[:missing]:
            shares[at] += 1
    return shares
