"""Deciding what a report about a message changes; repeated and late reports change nothing."""

from datetime import datetime

from chassis.kernel import Decision
from services.notify.domain.book import Book, Message, Part
from services.notify.domain.commands import (
    Command,
    RecordFailed,
    RecordReceipt,
    RecordSent,
    RecordSuppressed,
)
from services.notify.domain.events import Event, MessageDelivered, MessageFailed, MessageSent
from services.notify.domain.messages import State
from services.notify.domain.receipts import Verdict, verdict_of

Decided = Decision[bool, Event]
"""The answer: whether the report moved the message."""

NOTHING: Decided = Decision(False)


def decide(book: Book, command: Command, now: datetime) -> Decided:
    """Decide one command; none is ever refused."""
    message = book.messages.get(command.message_id)
    if message is None:
        return NOTHING
    match command:
        case RecordSent():
            return _sent(book, message, command, now)
        case RecordFailed():
            return _failed(book, message, command, now)
        case RecordSuppressed():
            return _suppressed(book, message, command, now)
        case RecordReceipt():
            return _receipt(book, message, command, now)


def _sent(book: Book, message: Message, command: RecordSent, now: datetime) -> Decided:
    """What a provider took is sent, whoever has claimed the message meanwhile."""
    if not message.open:
        return NOTHING
    if message.state is State.QUEUED:
        book.move(message, State.SUBMITTING, now)
    message.parts = len(command.part_ids)
    book.move(message, State.SENT, now)
    for number, name in enumerate(command.part_ids, 1):
        book.add_part(Part(command.provider, name, message.member_id, message.message_id, number))
    version = book.next_version(message.member_id)
    event = MessageSent(
        message.member_id, version, message.message_id, message.channel, message.template_code
    )
    return Decision(True, (event,))


def _failed(book: Book, message: Message, command: RecordFailed, now: datetime) -> Decided:
    if not message.open or message.attempts != command.attempt:
        return NOTHING
    return _give_up(book, message, command.reason, now)


def _suppressed(book: Book, message: Message, command: RecordSuppressed, now: datetime) -> Decided:
    if message.state is not State.QUEUED or message.attempts != command.attempt:
        return NOTHING
    book.move(message, State.SUPPRESSED, now, command.reason)
    return Decision(True)


def _receipt(book: Book, message: Message, command: RecordReceipt, now: datetime) -> Decided:
    """Delivered when every part is, failed with the first part that can't be delivered."""
    key = (command.provider, command.provider_message_id)
    book.settled_receipts.add(key)
    part = book.parts.get(key)
    if part is None or verdict_of(part.outcome) is not Verdict.PENDING:
        return NOTHING
    book.note_outcome(part, command.outcome)
    if message.state is not State.SENT or command.verdict is Verdict.PENDING:
        return NOTHING
    if command.verdict is Verdict.UNDELIVERABLE:
        return _give_up(book, message, command.outcome, now)
    verdicts = [verdict_of(each.outcome) for each in book.parts_of(message.message_id)]
    if len(verdicts) < message.parts or set(verdicts) != {Verdict.DELIVERED}:
        return NOTHING
    book.move(message, State.DELIVERED, now)
    version = book.next_version(message.member_id)
    return Decision(True, (MessageDelivered(message.member_id, version, message.message_id),))


def _give_up(book: Book, message: Message, reason: str, now: datetime) -> Decided:
    book.move(message, State.FAILED, now, reason)
    version = book.next_version(message.member_id)
    return Decision(True, (MessageFailed(message.member_id, version, message.message_id, reason),))
