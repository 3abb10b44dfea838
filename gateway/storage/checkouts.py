"""Checkouts and refunds in sets: the executor's repository.

Locks in the order members, checkouts, refunds, each sorted; then inserts first records by key, so
that two replicas with the same request ids wait for each other in one order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from chassis.identifiers import in_order
from chassis.storage import sets
from gateway.domain.checkouts import Phase, State
from gateway.domain.commands import (
    CancelCheckout,
    Command,
    CommitCheckout,
    CompleteRefund,
    NoteHeld,
    RecordCheckout,
    RecordRefund,
    RefuseRefund,
    TakeCommit,
)
from gateway.domain.deciding import Batch, Refundable, first_record
from gateway.storage import opening, records, refunds

_DECIDES = (NoteHeld, TakeCommit, CommitCheckout, CancelCheckout)

MEMBERS_KNOWN_MAX = 100_000
"""Members whose row is known to be there; of 16 bytes each, they take some megabytes."""


class CheckoutRepository:
    """`chassis.storage.executor.Repository` of checkouts and refunds.

    `grace` is how long after its first record recovery leaves a checkout to whoever opened it.
    """

    saves_blindly = True

    def __init__(self, grace: timedelta) -> None:
        self._grace = grace
        self._members: set[UUID] = set()

    def lock(self, connection: Connection, commands: Sequence[Command]) -> Batch:
        batch = Batch()
        ids = _told_of(commands)
        with sets.pipelined(connection):
            members = self._lock_members(connection, ids)
            checkouts = _lock_checkouts(connection, commands)
            refunds.lock(connection, batch, commands)
            fresh = self._insert_first_records(connection, commands)
        batch.versions = dict(members())
        self._note_members(ids, batch.versions)
        _note_locked(batch, checkouts(), commands)
        batch.fresh = {row[0] for row in fresh()}
        return batch

    def load(self, connection: Connection, state: Batch, commands: Sequence[Command]) -> None:
        """Read what is decided or recorded already, which is rare, and what refunds depend on."""
        asked = [c for c in commands if isinstance(c, RecordCheckout)]
        keys = {(c.opening.till.merchant_id, c.opening.request_id) for c in asked
                if c.opening.checkout_id not in state.fresh}  # fmt: skip
        state.records = records.by_request(connection, sorted(keys))
        moved_on = [
            c.record.checkout_id
            for c in commands
            if isinstance(c, _DECIDES)
            and state.open_checkouts.get(c.record.checkout_id) is not c.record.phase
        ]
        state.standing = records.by_id(connection, sorted(set(moved_on)))
        refunds.load(connection, state, commands)

    def save(self, connection: Connection, state: Batch) -> None:
        refunds.insert(connection, state.new_refunds, self._grace)
        done = in_order(set(state.finished))
        with sets.pipelined(connection):
            _save_members(connection, state)
            opening.save_opened(connection, state.opened)
            opening.save_commits(connection, state.commits)
            records.save_decisions(connection, state.decisions)
            opening.save_due(connection, state.due, self._grace)
            refunds.save_settlements(connection, state.refund_settlements)
            sets.delete_by_keys(connection, "unfinished", {"record_id": ("uuid", done)})

    def _insert_first_records(
        self, connection: Connection, commands: Sequence[Command]
    ) -> sets.Rows:
        """Insert what is to be recorded; gives the ids of what was not there before."""
        new = [c for c in commands if isinstance(c, RecordCheckout)]
        new.sort(key=lambda c: (c.opening.till.merchant_id.int, c.opening.request_id))
        return records.insert(connection, [first_record(c) for c in new], self._grace)

    def _lock_members(self, connection: Connection, ids: Sequence[UUID]) -> sets.Rows:
        """Lock the members of whom an event may be told; each event counts their version."""
        new = [member_id for member_id in ids if member_id not in self._members]
        sets.insert_columns(
            connection,
            "members",
            {"member_id": ("uuid", new), "version": ("bigint", [0] * len(new))},
            on_conflict="DO NOTHING",
        )
        return sets.select_later(
            connection,
            "members",
            {"member_id": ("uuid", ids)},
            select=("member_id", "version"),
            lock=True,
        )

    def _note_members(self, ids: Sequence[UUID], versions: Mapping[UUID, int]) -> None:
        """Remember whose row is there: rows of members stay, so that next time none is inserted."""
        if len(versions) != len(ids):
            self._members.clear()
            raise psycopg.errors.SerializationFailure("a member's row has gone: insert it again")
        if len(self._members) > MEMBERS_KNOWN_MAX:
            self._members.clear()
        self._members.update(ids)


def _told_of(commands: Sequence[Command]) -> list[UUID]:
    """Return in their order the members of whom an event may be told."""
    members = set()
    for command in commands:
        if isinstance(command, (*_DECIDES, CompleteRefund, RefuseRefund)):
            member_id = command.record.opening.member_id
            if member_id is not None:
                members.add(member_id)
    return in_order(members)


def _lock_checkouts(connection: Connection, commands: Sequence[Command]) -> sets.Rows:
    """Lock what is to be decided or refunded; a decision needs to know only how far it has come."""
    to_decide = {
        command.record.checkout_id for command in commands if isinstance(command, _DECIDES)
    }
    return sets.select_later(
        connection,
        "checkouts",
        {"checkout_id": ("uuid", in_order(to_decide | _to_refund(commands)))},
        select=("checkout_id", "merchant_id", "state", "phase"),
        lock=True,
    )


def _to_refund(commands: Sequence[Command]) -> set[UUID]:
    return {c.opening.checkout_id for c in commands if isinstance(c, RecordRefund)}


def _note_locked(batch: Batch, rows: Sequence[sets.Row], commands: Sequence[Command]) -> None:
    to_refund = _to_refund(commands)
    for checkout_id, merchant_id, state, phase in rows:
        if state == State.OPEN:
            batch.open_checkouts[checkout_id] = Phase(phase)
        if checkout_id in to_refund:
            batch.refundable[checkout_id] = Refundable(
                merchant_id, State(state), finished=True, open_refund=False, refunded=False
            )


def _save_members(connection: Connection, state: Batch) -> None:
    bumped = list(state.bumped)
    sets.update_from_columns(
        connection,
        "members",
        keys={"member_id": ("uuid", bumped)},
        values={"version": ("bigint", [state.versions[member_id] for member_id in bumped])},
    )
