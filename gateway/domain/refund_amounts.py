"""What a refund by whole, by amount or by line comes to, after what was refunded before.

Amounts are of the bill after coupons, because that is what the guest paid. A line is named by what
it cost before them: of `gross` in `gross_minor`, floor(net x gross refunded so far / gross) is
refunded by then, where `net` is what its share of each coupon, as the coupon service gave it, has
left; so a line that is taken back wholly refunds exactly its net. Refunds by amount belong to no
line: they only lessen what is left of the whole.

What coupons had taken off goes nowhere. Each refund tells its part of it: of a line, gross less
net; of an amount, its share of what was not told before, rounded down; the last one, the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.domain import errors


class BillLine(NamedTuple):
    """A line of the bill, before and after coupons; minor units."""

    line_id: str
    gross_minor: int
    net_minor: int


class AskedLine(NamedTuple):
    """A line to take back; `gross_minor` of it, None for all that is left."""

    line_id: str
    gross_minor: int | None


class Asked(NamedTuple):
    """What the till asks for: an amount, or lines, or, with neither, all that is left."""

    amount_minor: int | None = None
    lines: Sequence[AskedLine] = ()


class RefundAmounts(NamedTuple):
    """What one refund comes to: of the bill after coupons, of the coupons, of each line.

    An amount of None stands for all that is left.
    """

    amount_minor: int | None
    coupons_minor: int
    lines: tuple[BillLine, ...] = ()


def refund_amounts(
    bill: Sequence[BillLine], before: Sequence[RefundAmounts], asked: Asked
) -> RefundAmounts:
    """Return what a refund comes to; `before` are those that happened, each with its amount.

    Raises Refusal REFUND_EXCEEDS_CHECKOUT, REFUND_EXCEEDS_LINE, or INVALID_FIELD for lines that
    are none of the bill's.
    """
    net = sum(line.net_minor for line in bill)
    left = net - sum(each.amount_minor or 0 for each in before)
    coupons = sum(line.gross_minor for line in bill) - net
    coupons_left = coupons - sum(each.coupons_minor for each in before)
    if not asked.lines:
        amount = asked.amount_minor
        if amount is None or amount == left:
            return RefundAmounts(amount, coupons_left)
        if amount > left:
            raise errors.refund_exceeds_checkout(left)
        return RefundAmounts(amount, coupons_left * amount // left)
    lines = _lines(bill, before, asked.lines)
    amount = sum(line.net_minor for line in lines)
    if amount > left:
        raise errors.refund_exceeds_checkout(left)
    if not amount:
        raise errors.invalid_field(
            "lines", "nothing was paid for them; refund the checkout to have its coupons back"
        )
    taken_off = sum(line.gross_minor - line.net_minor for line in lines)
    told = coupons_left if amount == left else min(taken_off, coupons_left)
    return RefundAmounts(amount, told, lines)


def _lines(
    bill: Sequence[BillLine], before: Sequence[RefundAmounts], asked: Sequence[AskedLine]
) -> tuple[BillLine, ...]:
    by_id = {line.line_id: line for line in bill}
    seen: set[str] = set()
    lines = []
    for position, (line_id, gross) in enumerate(asked):
        field = f"lines[{position}].line_id"
        if line_id in seen:
            raise errors.invalid_field(field, "names a line once")
        if line_id not in by_id:
            raise errors.invalid_field(field, "must be a line of the checkout")
        seen.add(line_id)
        past = [line for each in before for line in each.lines if line.line_id == line_id]
        lines.append(_line(by_id[line_id], past, gross))
    return tuple(lines)


def _line(line: BillLine, past: Sequence[BillLine], gross: int | None) -> BillLine:
    """Return what is taken back of `line` now."""
    gross_before = sum(each.gross_minor for each in past)
    net_before = sum(each.net_minor for each in past)
    left = line.gross_minor - gross_before
    taken = left if gross is None else gross
    if taken > left or not left:
        raise errors.refund_exceeds_line(line.line_id, left)
    after = line.net_minor * (gross_before + taken) // line.gross_minor
    return BillLine(line.line_id, taken, after - net_before)
