"""Rows of `refunds`, locked, read and written in sets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from chassis.storage import sets
from gateway.domain.checkouts import (
    NO_FIGURES,
    RefundFigures,
    RefundOpening,
    RefundRecord,
    RefundState,
    Till,
)
from gateway.domain.commands import Command, CompleteRefund, RecordRefund, RefuseRefund
from gateway.domain.deciding import Batch, Key
from gateway.storage.records import decode_refusal, encode_refusal

COLUMNS = (
    "refund_id", "merchant_id", "request_id", "outlet_id", "terminal_id", "property_code",
    "fingerprint", "checkout_id", "member_id", "opened_at", "reverse_request",
    "roll_back_request", "ordinal", "draft", "state", "answer", "refusal", "amount_minor",
    "money_minor", "whole",
)  # fmt: skip
_SELECT = "SELECT " + ", ".join("t." + name for name in COLUMNS)


class LostRaceError(psycopg.errors.SerializationFailure):
    """Another replica recorded the same request meanwhile: run the batch again, it will see it."""


def lock(connection: Connection, batch: Batch, commands: Sequence[Command]) -> None:
    """Lock the refunds that are to be settled."""
    ids = {c.record.refund_id for c in commands if isinstance(c, CompleteRefund | RefuseRefund)}
    rows = sets.select_by_keys(
        connection,
        "refunds",
        {"refund_id": ("uuid", sorted(ids))},
        select=("refund_id", "state"),
        lock=True,
    )
    batch.open_refunds = {row[0] for row in rows if row[1] == RefundState.OPEN}


def load(connection: Connection, batch: Batch, commands: Sequence[Command]) -> None:
    """Read what recording and settling refunds is decided on."""
    asked = [c.opening for c in commands if isinstance(c, RecordRefund)]
    if asked:
        keys = {(opening.till.merchant_id, opening.request_id) for opening in asked}
        batch.refunds = by_request(connection, sorted(keys))
        _load_refundable(connection, batch)
    settled = {
        c.record.refund_id
        for c in commands
        if isinstance(c, CompleteRefund | RefuseRefund)
        and c.record.refund_id not in batch.open_refunds
    }
    batch.settled_refunds = by_id(connection, sorted(settled))


def insert(connection: Connection, new: Sequence[RefundRecord], grace: timedelta) -> None:
    """Insert first records, and what of them is unfinished; raises LostRaceError."""
    new = sorted(new, key=lambda each: (each.opening.till.merchant_id, each.opening.request_id))
    openings = [record.opening for record in new]
    tills = [opening.till for opening in openings]
    inserted = sets.insert_columns(
        connection,
        "refunds",
        {
            "refund_id": ("uuid", [o.refund_id for o in openings]),
            "merchant_id": ("uuid", [till.merchant_id for till in tills]),
            "request_id": ("text", [o.request_id for o in openings]),
            "outlet_id": ("uuid", [till.outlet_id for till in tills]),
            "terminal_id": ("uuid", [till.terminal_id for till in tills]),
            "property_code": ("text", [till.property_code for till in tills]),
            "fingerprint": ("bytea", [o.fingerprint for o in openings]),
            "checkout_id": ("uuid", [o.checkout_id for o in openings]),
            "member_id": ("uuid", [o.member_id for o in openings]),
            "opened_at": ("timestamptz", [o.opened_at for o in openings]),
            "reverse_request": ("bytea", [o.reverse for o in openings]),
            "roll_back_request": ("bytea", [o.roll_back for o in openings]),
            "ordinal": ("smallint", [o.ordinal for o in openings]),
            "draft": ("bytea", [o.draft for o in openings]),
            "money_minor": ("bigint", [0] * len(openings)),
            "whole": ("boolean", [False] * len(openings)),
            "state": ("smallint", [int(record.state) for record in new]),
            "refusal": ("bytea", [encode_refusal(record.refusal) for record in new]),
        },
        on_conflict="(merchant_id, request_id) DO NOTHING",
        returning=("refund_id",),
    )
    if len(inserted) < len(new):
        raise LostRaceError
    started = [record.opening for record in new if record.state is RefundState.OPEN]
    sets.insert_columns(
        connection,
        "unfinished",
        {
            "record_id": ("uuid", [opening.refund_id for opening in started]),
            "refund": ("boolean", [True] * len(started)),
            "due_at": ("timestamptz", [opening.opened_at + grace for opening in started]),
        },
    )


def save_settlements(connection: Connection, settled: Sequence[RefundRecord]) -> None:
    """Write the end of refunds this transaction has locked while they were open."""
    sets.update_from_columns(
        connection,
        "refunds",
        keys={"refund_id": ("uuid", [record.refund_id for record in settled])},
        values={
            "state": ("smallint", [int(record.state) for record in settled]),
            "answer": ("bytea", [record.answer or None for record in settled]),
            "refusal": ("bytea", [encode_refusal(record.refusal) for record in settled]),
            "amount_minor": (
                "bigint",
                [each.figures.amount_minor if each.answer else None for each in settled],
            ),
            "money_minor": ("bigint", [record.figures.money_minor for record in settled]),
            "whole": ("boolean", [record.figures.whole for record in settled]),
        },
    )


def by_request(connection: Connection, keys: Sequence[Key]) -> dict[Key, RefundRecord]:
    """Return the refunds under these (merchant_id, request_id)."""
    columns: sets.Columns = {
        "merchant_id": ("uuid", [merchant_id for merchant_id, _ in keys]),
        "request_id": ("text", [request_id for _, request_id in keys]),
    }
    found = map(_refund, sets.select_by_keys(connection, "refunds", columns, select=COLUMNS))
    return {(each.opening.till.merchant_id, each.opening.request_id): each for each in found}


def by_id(connection: Connection, refund_ids: Sequence[UUID]) -> dict[UUID, RefundRecord]:
    """Return the refunds with these ids."""
    columns = {"refund_id": ("uuid", refund_ids)}
    rows = sets.select_by_keys(connection, "refunds", columns, select=COLUMNS)
    return {row[0]: _refund(row) for row in rows}


def of_checkouts(connection: Connection, checkout_ids: Sequence[UUID]) -> list[RefundRecord]:
    """Return the refunds of these checkouts that happened or are under way, in order."""
    columns = {"checkout_id": ("uuid", checkout_ids)}
    rows = sets.select_by_keys(
        connection,
        "refunds",
        columns,
        select=COLUMNS,
        where="t.state <> 3",
        order_by="t.opened_at, t.refund_id",
    )
    return [_refund(row) for row in rows]


def _load_refundable(connection: Connection, batch: Batch) -> None:
    """Complete what is known of the checkouts locked for a refund."""
    ids = sorted(batch.refundable)
    for refund in of_checkouts(connection, ids):
        checkout = batch.refundable[refund.opening.checkout_id]
        checkout.refunded |= refund.figures.whole
        checkout.done += refund.state is RefundState.DONE
        checkout.open_refund |= refund.state is RefundState.OPEN
    unfinished = sets.select_by_keys(
        connection, "unfinished", {"record_id": ("uuid", ids)}, select=("record_id",)
    )
    for row in unfinished:
        batch.refundable[row[0]].finished = False


def _refund(row: sets.Row) -> RefundRecord:
    (refund_id, merchant_id, request_id, outlet_id, terminal_id, property_code, fingerprint,
     checkout_id, member_id, opened_at, reverse, roll_back, ordinal, draft, state, answer,
     refusal, amount_minor, money_minor, whole) = row  # fmt: skip
    opening = RefundOpening(
        refund_id=refund_id,
        request_id=request_id,
        till=Till(merchant_id, outlet_id, terminal_id, property_code),
        fingerprint=fingerprint,
        checkout_id=checkout_id,
        member_id=member_id,
        opened_at=opened_at,
        reverse=reverse,
        roll_back=roll_back,
        ordinal=ordinal,
        draft=draft,
    )
    done = state == RefundState.DONE
    return RefundRecord(
        opening,
        RefundState(state),
        answer=answer or b"",
        refusal=decode_refusal(refusal),
        figures=RefundFigures(amount_minor or 0, money_minor, whole) if done else NO_FIGURES,
    )
