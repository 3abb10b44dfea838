"""A history, played: each step by the model and by the service, and everything looked at after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.message import Message
from huitouke.points.v1 import events_pb2

from chassis.clock import ManualClock
from chassis.storage.contracts import Submission
from chassis.storage.requests import fingerprint
from services.points.converters.movements import to_movement
from services.points.converters.requests import to_command
from services.points.domain.assets import Asset
from services.points.domain.commands import (
    Command,
    ImportBalance,
    SettleDue,
    WarnExpiring,
    members_of,
)
from services.points.domain.journal import Entry
from tests.histories.agreement import check_outcome, differences, stored
from tests.histories.audit import Audit
from tests.histories.programmes import LIMITS, PROGRAMMES
from tests.histories.services import MemberRow, Service, Told
from tests.histories.stage import Ask, Dice, Import, Job, Stage, Wait
from tests.histories.steps import STEPS
from tests.model.imports import Row
from tests.model.ledger import Ledger, Outcome

KEY = b"histories-request-key-32-bytes--"
START = datetime(2026, 3, 10, 4, tzinfo=UTC)
GUESTS = 3
CHORES: Mapping[str, Callable[[UUID], Command]] = {
    "settle": SettleDue,
    "warn": lambda member_id: WarnExpiring(member_id, ZoneInfo("Asia/Shanghai")),
}
"""What jobs submit, by the name of what the model does then."""


class Script(list[tuple[int, int]]):
    """Each step's place in `STEPS`, and the number its choices are made from.

    Steps of kind 0 are nothing at all, so what is shown of a script plays as the whole would.
    """

    def __repr__(self) -> str:
        return f"Script({[step for step in self if step[0]]})"

    def in_words(self) -> str:
        return ", ".join(f"{STEPS[kind].__name__} {number}" for kind, number in self if kind)


@dataclass
class History:
    """Plays one script. `space` keeps the ids of histories in one database apart."""

    service: Service
    clock: ManualClock
    space: int
    stage: Stage = field(init=False)
    audit: Audit = field(default_factory=Audit)
    _batch: list[tuple[Submission[Command], Outcome]] = field(default_factory=list)
    _heard: dict[UUID, int] = field(default_factory=dict)
    _rows: dict[UUID, MemberRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        model = Ledger(self.clock.now(), PROGRAMMES, LIMITS)
        for code, given in self.service.budgets_given().items():
            model.budgets[code].given = given  # by guests of other histories
        self.stage = Stage(model, [], self.space)
        self.stage.member_ids = [self.stage.new_id() for _ in range(GUESTS)]

    def play(self, script: Script) -> None:
        for kind, number in script:
            if not kind:
                continue
            dice = Dice(number)
            with_the_next = dice.of([False, False, True])
            happening = STEPS[kind](self.stage, dice)
            if isinstance(happening, Wait):
                self.flush()
                self.stage.model.now = happening.until
                self.clock.advance(happening.until - self.clock.now())
            elif isinstance(happening, Job):
                self._work(happening)
            elif isinstance(happening, Import):
                self._bring_in(happening.row)
            elif happening is not None:
                self._ask(happening)
            if not with_the_next:
                self.flush()
        self.flush()

    def _ask(self, ask: Ask) -> None:
        request: Any = ask.request
        expected = self.stage.model.answer(ask.caller, request)
        marks = fingerprint(request, KEY)
        command = to_movement(request) if _is_movement(request) else to_command(request)
        submission = Submission(command, ask.caller, request.request_id, marks)
        self._batch.append((submission, expected))

    def _work(self, job: Job) -> None:
        """A job's answer is nobody's; what it did is seen by its events and in the books."""
        getattr(self.stage.model, job.chore)(job.member_id)
        command = CHORES[job.chore](UUID(job.member_id))
        submission: Submission[Command] = Submission(command, "points", job.chore, None)
        self._batch.append((submission, Outcome({})))

    def _bring_in(self, row: Row) -> None:
        expected = self.stage.model.bring_in(row)
        ids = UUID(row.import_id), row.line, row.reference, UUID(row.member_id)
        command = ImportBalance(*ids, Asset(row.asset), row.amount, row.earned_at, row.expires_at)
        self._batch.append((Submission(command, "points", "import", None), expected))

    def flush(self) -> None:
        """Let the service do in one transaction what the model has done, and look at the books."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        outcomes = self.service.run([submission for submission, _ in batch])
        for outcome, (_, expected) in zip(outcomes, batch, strict=True):
            check_outcome(outcome, expected)
        entries, events = self.service.news(map(UUID, self.stage.member_ids))
        for told in events:
            self._check_told(told)
        named = {each for submission, _ in batch for each in members_of(submission.command)}
        self._check_books(named, entries, events)

    def _check_books(
        self, named: Iterable[UUID], entries: Sequence[Entry], events: Sequence[Told]
    ) -> None:
        lots = {each: self.service.lots(each) for each in named}
        self.audit.read(entries, events, lots)
        for member_id in named:
            guest = self.stage.model.guest(str(member_id))
            assert lots[member_id] == stored(guest)
            row = self._rows[member_id] = self.service.member(member_id)
            assert self._heard.get(member_id, 0) == guest.version == row.version
            pins = self.service.pins(member_id)
            self.audit.check_member(member_id, row, lots[member_id], pins)
        self.audit.check_houses(self._rows.values())
        self.audit.check_funders(self._funded())
        budgets = self.stage.model.budgets
        assert self.service.budgets_given() == {code: each.given for code, each in budgets.items()}

    def _funded(self) -> Mapping[int, int]:
        """What the model says that each funder gave, what has matured included."""
        funded = Counter(self.stage.model.funded)
        for guest in self.stage.model.guests.values():
            for gift in guest.gifts:
                if gift.lot:
                    funded[gift.facts["funder"]] += gift.points - gift.cancelled
        return funded

    def _check_told(self, told: Told) -> None:
        """An event is the next one that the model's guest told."""
        at = self._heard.get(told.member_id, 0)
        self._heard[told.member_id] = at + 1
        expected = self.stage.model.guest(str(told.member_id)).events[at]
        name = told.kind.rpartition(".")[2]
        assert (name, told.version) == (expected.kind, expected.version)
        message = getattr(events_pb2, name).FromString(told.payload)
        assert list(differences(message, expected.facts)) == []


def _is_movement(request: Message) -> bool:
    """Whether another service of the same process takes it."""
    return request.DESCRIPTOR.file.name.endswith("movement_service.proto")
