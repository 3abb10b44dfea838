"""Decisions: what deciding a command yields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.kernel.refusals import Refusal

A_co = TypeVar("A_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Decision(Generic[A_co, E_co]):
    """The outcome of an accepted command: its answer and the events to publish, in order.

    With `refusal` set the command is a failed proof: its state is saved, its events go out and
    the refusal is remembered, but the caller gets the refusal and `answer` is None.
    """

    answer: A_co | None
    events: tuple[E_co, ...] = ()
    refusal: Refusal | None = None

    def __post_init__(self) -> None:
        if (self.answer is None) == (self.refusal is None):
            raise ValueError("a decision holds either an answer or a refusal")
