"""Where a batched command's time goes in the interpreter: each step of earning, alone.

    python -m benchmarks.command_steps [--commands 2048] [--repeats 9]

No server, no thread, no garbage collection: dinners of members whose lots aren't loaded, by the
programme of a new installation. The reference is what protobuf alone takes to read such a batch
and to write its answer: what no service could do without.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from random import Random
from time import perf_counter
from typing import TypeVar
from uuid import UUID

from huitouke.points.v1 import points_service_pb2 as pb

from benchmarks.dinners import batches, dinners
from chassis.identifiers import new_id
from chassis.kernel import Decision
from chassis.rpc.batch import fill_outcomes
from chassis.rpc.validation import validate_alone
from chassis.storage.answers import ProtoAnswerCodec, encode_answer
from chassis.storage.executor import Executed
from chassis.storage.requests import fingerprint
from services.points.converters.answers import RESPONSE_TYPES, to_response
from services.points.converters.events import to_outbox
from services.points.converters.requests import to_command
from services.points.domain.accounts import Member
from services.points.domain.answers import Answer
from services.points.domain.books import Books
from services.points.domain.events import Event
from services.points.domain.ledger import decide
from services.points.domain.lots import NextExpiry
from services.points.domain.programme import Programme, Programmes
from services.points.storage.programmes import from_document

BATCH, MEMBERS = 128, 5_000
KEY = b"k" * 32
R = TypeVar("R")


@dataclass(slots=True)
class Steps:
    """The quickest of several runs of each step, in microseconds a command."""

    commands: int
    repeats: int
    took: dict[str, float] = field(default_factory=dict)

    def measure(self, name: str, step: Callable[[], R]) -> R:
        """Run a step over all commands, several times; returns what the last run came to."""
        seconds = []
        for _ in range(self.repeats):
            gc.collect()
            gc.disable()
            began = perf_counter()
            result = step()
            seconds.append(perf_counter() - began)
            gc.enable()
        self.took[name] = min(seconds) / self.commands * 1e6
        return result


def first_programme() -> Programme:
    """The programme that a new installation starts with."""
    ledger = import_module("services.points.storage.migrations.versions.0001_ledger")
    return from_document(1, datetime(2000, 1, 1, tzinfo=UTC), ledger.default_programme())


def opened_books(members: Sequence[UUID], programme: Programme, now: datetime) -> Books:
    """Members with sixty lots that nobody has loaded."""
    first = NextExpiry(now + timedelta(days=60), now - timedelta(days=60), 100)
    found = {}
    for each in members:
        member = found[each] = Member(each, version=60, last_lot_number=60)
        member.points.balance, member.points.next_expiry = 6_000, first
    return Books(found, Programmes([programme]))


def measure(steps: Steps) -> None:
    members, now = [new_id() for _ in range(MEMBERS)], datetime.now(UTC)
    stream = dinners(members, Random(1), 0)
    raw = batches(stream, steps.commands // BATCH, BATCH)
    read = steps.measure("read", lambda: [pb.BatchPostRequest.FromString(each) for each in raw])
    asked = [item.request for batch in read for item in batch.items]

    def validated() -> None:
        for each in asked:
            validate_alone(each, may_hold_nul=False)

    steps.measure("field rules", validated)
    commands = steps.measure("command", lambda: [to_command(each) for each in asked])
    steps.measure("fingerprint", lambda: [fingerprint(each, KEY) for each in asked])
    programme = first_programme()
    fresh = iter([opened_books(members, programme, now) for _ in range(steps.repeats)])

    def decided() -> list[Decision[Answer, Event]]:
        books = next(fresh)
        return [decide(books, each, now) for each in commands]

    decisions = steps.measure("deciding", decided)
    answered = [each.answer for each in decisions if each.answer is not None]
    answers = steps.measure("answer", lambda: [to_response(each) for each in answered])
    steps.measure(
        "event",
        lambda: [
            to_outbox(event, answer)
            for decision, answer in zip(decisions, answers, strict=True)
            for event in decision.events
        ],
    )
    codec = ProtoAnswerCodec(RESPONSE_TYPES)
    steps.measure("memory", lambda: [encode_answer(codec, each) for each in answers])
    done = [Executed(each, replayed=False) for each in answers]
    filled = steps.measure(
        "outcomes",
        lambda: [
            fill_outcomes(pb.BatchPostResponse(), done[at : at + BATCH], lambda answer: answer)
            for at in range(0, len(done), BATCH)
        ],
    )
    steps.measure("written", lambda: [each.SerializeToString() for each in filled])


def main() -> None:
    parser = argparse.ArgumentParser(description="The steps of a batched command, each alone.")
    parser.add_argument("--commands", type=int, default=2_048)
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    steps = Steps(arguments.commands // BATCH * BATCH, arguments.repeats)
    measure(steps)
    for name, microseconds in steps.took.items():
        print(f"{name:12} {microseconds:6.2f} us")
    whole = sum(steps.took.values())
    least = steps.took["read"] + steps.took["written"]
    print(
        f"together {whole:.1f} us a command = {whole / least:.0f} x what protobuf alone takes to "
        f"read and write it ({least:.2f} us); {steps.commands} commands in batches of {BATCH}, "
        f"{MEMBERS} members, the quickest of {steps.repeats} runs of each step"
    )


if __name__ == "__main__":
    main()
