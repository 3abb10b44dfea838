"""Deciding: which rule answers which command."""

from __future__ import annotations

from datetime import datetime

from chassis.kernel import Decision
from services.member.domain.answers import Answer
from services.member.domain.birthdays import LunarCalendar
from services.member.domain.book import Book
from services.member.domain.card_changes import change_card_state, replace_card
from services.member.domain.commands import ChangeCardState, Command, Enrol
from services.member.domain.enrolment import enrol
from services.member.domain.events import Event


def decide(
    book: Book, command: Command, now: datetime, calendar: LunarCalendar
) -> Decision[Answer, Event]:
    """Return the answer and events of a command and note in `book` what changed.

    Raises Refusal, and then `book` is as it was.
    """
    if isinstance(command, Enrol):
        return enrol(book, command, now, calendar)
    if isinstance(command, ChangeCardState):
        return change_card_state(book, command, now)
    return replace_card(book, command, now)
