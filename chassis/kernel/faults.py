"""Faults: what a rule written by people answers when it can't be evaluated."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A condition that compiled failed on these values, a division by zero say.

    It is a value, never raised: whoever asked goes on without the rule and reports it.
    `message` is for the rule's author and holds no value of what was asked about.
    """

    message: str
