"""How many histories are drawn, how long they are, and from which seed.

`make test` draws the same ones each time; `make prove` twenty times as many. The environment says
so: HISTORIES (in memory), HISTORIES_POSTGRES, HISTORIES_SEED. A failure prints the seed and the
steps that are left when it is shrunk; HISTORIES_SHRINK=no leaves that out, where failing is enough.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from tests.histories.playing import Script
from tests.histories.stage import NUMBER_BYTES
from tests.histories.steps import STEPS

SEED: Final = int(os.environ.get("HISTORIES_SEED", "20260310"))
"""Any number; the default is the day on which histories begin."""

_SHRINK = os.environ.get("HISTORIES_SHRINK", "yes") != "no"
PHASES: Final = [Phase.generate, Phase.shrink] if _SHRINK else [Phase.generate]


@dataclass(frozen=True)
class Amount:
    """How much is drawn: `histories` of `shortest` to `longest` steps, `share_size` at a time.

    Shares have seeds of their own, so that several processes can work, and each can be repeated.
    """

    histories: int
    shortest: int
    longest: int
    share_size: int

    @property
    def shares(self) -> range:
        return range(-(-self.histories // self.share_size))


MEMORY: Final = Amount(int(os.environ.get("HISTORIES", "500")), 60, 200, 125)
POSTGRES: Final = Amount(int(os.environ.get("HISTORIES_POSTGRES", "50")), 25, 50, 25)


def int_of_bytes(drawn: bytes) -> int:
    return int.from_bytes(drawn, "big")


def proven(amount: Amount, share: int) -> Callable[[Callable[[Script], None]], Callable[[], None]]:
    """Run a function of a script on one share of the histories; shrinks the first that fails.

    Shorter histories than `shortest` come out of shrinking: steps of kind 0 do nothing.
    """
    # Bytes are drawn evenly; of as large an integer Hypothesis would draw each length as often, so
    # that all but the first choices of most steps would be their first options.
    number = st.binary(min_size=NUMBER_BYTES, max_size=NUMBER_BYTES).map(int_of_bytes)
    step = st.tuples(st.integers(0, len(STEPS) - 1), number)
    scripts = st.lists(step, min_size=amount.shortest, max_size=amount.longest).map(Script)

    def decorate(play: Callable[[Script], None]) -> Callable[[], None]:
        @seed(SEED + share)
        @settings(
            max_examples=min(amount.share_size, amount.histories - share * amount.share_size),
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        )
        @given(scripts)
        def run(script: Script) -> None:
            note(f"drawn with HISTORIES_SEED={SEED}, share {share}: {script.in_words()}")
            play(script)

        return run

    return decorate
