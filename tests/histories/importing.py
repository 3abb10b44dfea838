"""Rows of another system's file: new ones, the same again, and others under a known reference."""

from __future__ import annotations

from datetime import timedelta

from tests.histories.stage import Dice, Happening, Import, Stage
from tests.model.guests import BONUS, CASH, POINTS
from tests.model.imports import Row


def bring_in(stage: Stage, dice: Dice) -> Happening:
    now = stage.model.now
    asset = dice.of([POINTS, POINTS, BONUS, CASH])
    lives = dice.of([timedelta(days=200), None, timedelta(days=20), timedelta(0)])
    row = Row(
        _import_id(stage),
        len(stage.rows) + 1,
        f"lot-{stage.new_id()}",
        dice.of(stage.member_ids),
        asset,
        dice.of([300, 1, 70_000, 499_999]),
        now - timedelta(days=dice.of([100, 0, 900, -1])),
        None if lives is None or (asset == CASH and dice.below(6)) else now + lives,
    )
    stage.rows.append(row)
    return Import(row)


def bring_in_again(stage: Stage, dice: Dice) -> Happening:
    known = stage.one_of_the_last(dice, stage.rows)
    if known is None:
        return None
    others = [known._replace(amount=known.amount + 1), known._replace(line=known.line + 1)]
    return Import(dice.of([known, known, *others]))


def _import_id(stage: Stage) -> str:
    """One import a history."""
    return f"{stage.space:08x}-0000-7000-8000-ffffffffffff"
