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


def allocate_further(total: int, weights: Sequence[int], given: Sequence[int]) -> list[int]:
    """Divide `total` as `allocate` does, where `given` of it is handed out and stays so.

    Returns whole shares, the given parts included. Largest remainder alone may give somebody less
    of a larger total (the Alabama paradox); here nobody's share is ever below what is given nor
    above its weight, and where largest remainder takes nothing back it is exactly largest
    remainder. `given` adds up to at most `total`, which is at most what the weights add up to.
    """
    whole = sum(weights)
    assert sum(given) <= total <= whole, "no more is divided than there is, no less than was given"
    if not total:
        return list(given)
    shares = [max(has, total * weight // whole) for has, weight in zip(given, weights, strict=True)]
    missing = total - sum(shares)

    def lacking(at: int) -> int:
        """How far a share is below its exact proportion, in units of 1 / `whole`."""
        return total * weights[at] - shares[at] * whole

    for at in sorted(range(len(shares)), key=lambda at: (-lacking(at), at))[: max(0, missing)]:
        shares[at] += 1
    for _ in range(-missing):  # what was given lies above the proportion: the others wait for it
        waiting = [at for at in range(len(shares)) if shares[at] > given[at]]
        shares[min(waiting, key=lambda at: (lacking(at), -at))] -= 1
    return shares
