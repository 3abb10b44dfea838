"""Writes that are passed on: noted first, so that a repetition is the same or is refused."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from chassis.kernel import Refusal
from chassis.rpc.calls import current_call
from chassis.storage.executor import Executor, Submission
from gateway.converters.fingerprints import fingerprint
from gateway.domain import errors
from gateway.domain.notes import Note, TakeNote
from gateway.domain.principals import Principal

NoteExecutor = Executor[TakeNote, None, Note, None]


class Intake:
    """Notes what the gateway adds to a till's write, under the till's own request id.

    The executor's memory compares the till's own fields, so that a reused request id is refused by
    the name the till knows; what it returns to a repetition is the first one's note.
    """

    def __init__(self, executor: NoteExecutor, key: bytes) -> None:
        self._executor = executor
        self._key = key

    async def note(self, request: Any, principal: Principal, noting: Awaitable[Note]) -> Note:
        """Return the note of this request, a former one's if there is one.

        `noting` finds out what to note; a refusal it raises is the request's answer for good,
        unless it passes or the request was noted before.
        """
        refusal: Refusal | None = None
        try:
            note = await noting
        except Refusal as raised:
            refusal = errors.not_the_tills(raised)
            if refusal.passing:
                raise refusal from None
            note = plain_note(principal)
        call = current_call()
        executed = await self._executor.execute(
            Submission(
                TakeNote(note, refusal),
                caller=f"{principal.merchant_id}/{request.DESCRIPTOR.name}",
                request_id=request.request_id,
                fingerprint=fingerprint(request, self._key),
                deadline_monotonic=call.deadline_monotonic,
                traceparent=call.traceparent,
            )
        )
        return executed.answer


def plain_note(principal: Principal) -> Note:
    """Return a note of the till alone."""
    return Note(principal.till, principal.time_zone, principal.category)
