"""Any order of reports, repeated and late ones too, leaves a message and its events consistent."""

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.book import Book, Message
from services.notify.domain.commands import (
    Command,
    RecordFailed,
    RecordReceipt,
    RecordSent,
    RecordSuppressed,
)
from services.notify.domain.deciding import decide
from services.notify.domain.events import Event, MessageDelivered, MessageFailed, MessageSent
from services.notify.domain.messages import ENDS, Channel, State
from services.notify.domain.receipts import verdict_of

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MEMBER, MESSAGE = UUID(int=1), UUID(int=2)


def book(state: State = State.SUBMITTING, attempts: int = 1) -> Book:
    message = Message(MEMBER, MESSAGE, Channel.SMS, "TOP_UP", state, attempts, 0)
    return Book(versions={MEMBER: 0}, messages={MESSAGE: message})


def run(given_: Book, *commands: Command) -> list[Event]:
    return [event for each in commands for event in decide(given_, each, NOW).events]


def sent(*names: str) -> RecordSent:
    return RecordSent(MEMBER, MESSAGE, "p", names)


def receipt(name: str, outcome: str = "DELIVRD") -> RecordReceipt:
    return RecordReceipt(MEMBER, MESSAGE, "p", name, verdict_of(outcome), outcome)


def failed(attempt: int = 1) -> RecordFailed:
    return RecordFailed(MEMBER, MESSAGE, attempt, "IN_DOUBT")


def suppressed(attempt: int = 1) -> RecordSuppressed:
    return RecordSuppressed(MEMBER, MESSAGE, attempt, "NO_EMAIL")


def test_a_message_is_delivered_when_its_last_part_is() -> None:
    state = book()
    events = run(state, sent("a", "b"), receipt("b"))
    assert state.messages[MESSAGE].state is State.SENT
    events += run(state, receipt("a"))
    assert state.messages[MESSAGE].state is State.DELIVERED
    assert [type(event) for event in events] == [MessageSent, MessageDelivered]


def test_one_part_that_can_not_be_delivered_fails_the_message() -> None:
    state = book()
    events = run(state, sent("a", "b"), receipt("a"), receipt("b", "UNDELIV"), receipt("a"))
    assert (state.messages[MESSAGE].state, state.messages[MESSAGE].reason) == (
        State.FAILED,
        "UNDELIV",
    )
    assert [type(event) for event in events] == [MessageSent, MessageFailed]


def test_an_intermediate_receipt_leaves_the_part_open() -> None:
    state = book()
    run(state, sent("a"), receipt("a", "ENROUTE"), receipt("a", "ACCEPTD"))
    assert state.messages[MESSAGE].state is State.SENT
    run(state, receipt("a"))
    assert state.messages[MESSAGE].state is State.DELIVERED


def test_an_e_mail_without_parts_stays_sent() -> None:
    state = book()
    run(state, sent())
    assert state.messages[MESSAGE].state is State.SENT


def test_a_report_of_a_claim_that_another_took_over_fails_nothing() -> None:
    state = book(attempts=2)
    assert run(state, failed(attempt=1), suppressed(attempt=1)) == []
    assert state.messages[MESSAGE].state is State.SUBMITTING


def test_what_a_provider_took_is_sent_whoever_claims_it_now() -> None:
    state = book(State.QUEUED, attempts=2)
    (event,) = run(state, sent("a"))
    assert isinstance(event, MessageSent)


def test_only_what_was_never_submitted_is_suppressed() -> None:
    submitting, queued = book(State.SUBMITTING), book(State.QUEUED)
    assert run(submitting, suppressed()) == run(queued, suppressed()) == []
    assert submitting.messages[MESSAGE].state is State.SUBMITTING
    assert queued.messages[MESSAGE].state is State.SUPPRESSED


def test_a_report_about_an_unknown_message_changes_nothing() -> None:
    assert run(Book(versions={MEMBER: 0}), sent("a"), receipt("a")) == []


REPORTS = st.one_of(
    st.sampled_from([sent("a", "b"), sent("c"), sent()]),
    st.builds(
        receipt, st.sampled_from("abc"), st.sampled_from(["DELIVRD", "UNDELIV", "ENROUTE", "?"])
    ),
    st.builds(failed, st.integers(1, 2)),
    st.builds(suppressed, st.integers(1, 2)),
)


@given(st.lists(REPORTS, max_size=12), st.sampled_from([State.QUEUED, State.SUBMITTING]))
def test_any_reports_in_any_order_count_versions_and_end_a_message_once(
    commands: list[Command], begun: State
) -> None:
    state = book(begun)
    events: list[Event] = []
    for command in commands:
        ended = state.messages[MESSAGE].state in ENDS
        new = run(state, command)
        assert not (ended and new)
        events += new
    assert [event.version for event in events] == list(range(1, len(events) + 1))
    message = state.messages[MESSAGE]
    assert bool(message.reason) == (message.state in (State.FAILED, State.SUPPRESSED))
    assert (message.ended_at is not None) == (message.state in ENDS)
    assert sum(isinstance(event, MessageSent) for event in events) == (message.sent_at is not None)
    if message.state is State.DELIVERED:
        assert {part.outcome for part in state.parts_of(MESSAGE)} == {"DELIVRD"}
