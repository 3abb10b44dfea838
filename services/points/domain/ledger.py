"""The one way into the ledger: `decide`, and the same for those who only ask."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.kernel import Decision
from services.points.domain.accounts import Balances
from services.points.domain.answers import Answer
from services.points.domain.books import Books
from services.points.domain.checkouts import cancel, post
from services.points.domain.commands import (
    CancelPost,
    Command,
    PostCheckout,
    ReverseCheckout,
    TopUpStoredValue,
)
from services.points.domain.events import Event
from services.points.domain.expiry import expire, expire_due
from services.points.domain.reversals import reverse
from services.points.domain.top_ups import top_up


def decide(books: Books, command: Command, now: datetime) -> Decision[Answer, Event]:
    """Decide one command on the loaded `books`.

    `now` is not before any of the members' last posting. What is due to expire is taken out
    first, as an entry and an event of its own. A raised Refusal has changed nothing.
    """
    answer: Answer
    if isinstance(command, PostCheckout):
        answer, events = post(books, command, now)
    elif isinstance(command, TopUpStoredValue):
        answer, events = top_up(books, command, now)
    elif isinstance(command, ReverseCheckout):
        answer, events = reverse(books, command, now)
    elif isinstance(command, CancelPost):
        answer, events = cancel(books, command, now)
    else:
        answer, expired = expire(books, command, now)
        return Decision(answer, tuple(expired))
    return Decision(answer, tuple(events))


def balances_at(books: Books, member_id: UUID, now: datetime) -> Balances:
    """The balances of a member as `now` finds them, what is due taken out; the books are spent.

    The version stays that of the member's last event, since reading posts nothing.
    """
    member = books.members[member_id]
    version = member.version
    expire_due(books, member, now)
    return member.balances()._replace(member_version=version)
