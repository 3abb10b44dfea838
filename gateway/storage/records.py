"""Rows of `checkouts`, written and read in sets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from google.rpc.status_pb2 import Status
from sqlalchemy import Connection

from chassis.kernel import Refusal
from chassis.rpc.status import from_status, to_status
from chassis.storage import sets
from gateway.domain.checkouts import Figures, Opening, Phase, Plan, Record, State, Till
from gateway.domain.deciding import Key
from gateway.storage import opening

COLUMNS = (
    "checkout_id", "merchant_id", "request_id", "outlet_id", "terminal_id", "property_code",
    "fingerprint", "member_id", "opened_at", "deadline_at", "post_request",
    "cancel_post_request", "reserve_request", "redeem_request", "cancel_reservation_request",
    "reverse_request", "draft", "gross_minor", "coupons_minor", "coupon_count", "tendered_minor",
    "state", "decided_at", "receipt", "refusal", *opening.COLUMNS,
)  # fmt: skip
_FINISHED = "NOT EXISTS (SELECT FROM unfinished u WHERE u.record_id = t.checkout_id)"
_SELECT = f"SELECT {', '.join('t.' + name for name in COLUMNS)}, {_FINISHED} AS finished"


def insert(connection: Connection, new: Sequence[Record], grace: timedelta) -> sets.Rows:
    """Insert first records in their order; gives the ids of those that were not there before.

    Those that are open are unfinished, and recovery's when `grace` has passed.
    """
    openings = [record.opening for record in new]
    tills = [opening.till for opening in openings]
    plans = [opening.plan for opening in openings]
    return sets.insert_later(
        connection,
        "checkouts",
        {
            "checkout_id": ("uuid", [o.checkout_id for o in openings]),
            "merchant_id": ("uuid", [till.merchant_id for till in tills]),
            "request_id": ("text", [o.request_id for o in openings]),
            "outlet_id": ("uuid", [till.outlet_id for till in tills]),
            "terminal_id": ("uuid", [till.terminal_id for till in tills]),
            "property_code": ("text", [till.property_code for till in tills]),
            "fingerprint": ("bytea", [o.fingerprint for o in openings]),
            "member_id": ("uuid", [o.member_id for o in openings]),
            "opened_at": ("timestamptz", [o.opened_at for o in openings]),
            "deadline_at": ("timestamptz", [o.deadline_at for o in openings]),
            "post_request": ("bytea", [plan.post for plan in plans]),
            "cancel_post_request": ("bytea", [plan.cancel_post for plan in plans]),
            "reserve_request": ("bytea", [plan.reserve for plan in plans]),
            "redeem_request": ("bytea", [plan.redeem for plan in plans]),
            "cancel_reservation_request": ("bytea", [plan.cancel_reservation for plan in plans]),
            "reverse_request": ("bytea", [plan.reverse for plan in plans]),
            "draft": ("bytea", [o.draft for o in openings]),
            "gross_minor": ("bigint", [o.gross_minor for o in openings]),
            "coupons_minor": ("bigint", [o.coupons_minor for o in openings]),
            "coupon_count": ("smallint", [o.coupon_count for o in openings]),
            "tendered_minor": ("bigint", [o.tendered_minor for o in openings]),
            "state": ("smallint", [int(record.state) for record in new]),
            "decided_at": ("timestamptz", [record.decided_at for record in new]),
            "refusal": ("bytea", [encode_refusal(record.refusal) for record in new]),
            **opening.first_columns(openings),
        },
        on_conflict="(merchant_id, request_id) DO NOTHING",
        returning=("checkout_id", "opened_at", "state"),
        also="INSERT INTO unfinished (record_id, refund, due_at) SELECT checkout_id, false, "
        f"opened_at + interval '{grace.total_seconds():f} seconds' FROM added "
        f"WHERE state = {State.OPEN:d}",
    )


def save_decisions(connection: Connection, decisions: Sequence[tuple[Record, Figures]]) -> None:
    """Write decisions on rows this transaction has locked while they were open."""
    decided = [record for record, _ in decisions]
    figures = [figures for _, figures in decisions]
    sets.update_from_columns(
        connection,
        "checkouts",
        keys={"checkout_id": ("uuid", [record.checkout_id for record in decided])},
        values={
            "state": ("smallint", [int(record.state) for record in decided]),
            "decided_at": ("timestamptz", [record.decided_at for record in decided]),
            "receipt": ("bytea", [record.receipt or None for record in decided]),
            "refusal": ("bytea", [encode_refusal(record.refusal) for record in decided]),
            "points_redeemed": ("bigint", [each.points_redeemed for each in figures]),
            "stored_value_minor": ("bigint", [each.stored_value_minor for each in figures]),
            "points_earned": ("bigint", [each.points_earned for each in figures]),
        },
    )


def by_request(connection: Connection, keys: Sequence[Key]) -> dict[Key, Record]:
    """Return the records under these (merchant_id, request_id)."""
    sql = (
        f"{_SELECT} FROM unnest(%s::uuid[], %s::text[]) AS v(merchant_id, request_id) "
        "JOIN checkouts t ON t.merchant_id = v.merchant_id AND t.request_id = v.request_id"
    )
    columns: sets.Columns = {
        "merchant_id": ("uuid", [merchant_id for merchant_id, _ in keys]),
        "request_id": ("text", [request_id for _, request_id in keys]),
    }
    found = [_record(row) for row in sets.execute(connection, sql, columns)]
    return {(each.opening.till.merchant_id, each.opening.request_id): each for each in found}


def by_id(connection: Connection, checkout_ids: Sequence[UUID]) -> dict[UUID, Record]:
    """Return the records with these ids."""
    sql = (
        f"{_SELECT} FROM unnest(%s::uuid[]) AS v(checkout_id) "
        "JOIN checkouts t ON t.checkout_id = v.checkout_id"
    )
    rows = sets.execute(connection, sql, {"checkout_id": ("uuid", checkout_ids)})
    return {row[0]: _record(row) for row in rows}


def encode_refusal(refusal: Refusal | None) -> bytes | None:
    """Return a refusal as google.rpc.Status, reason and metadata intact."""
    return None if refusal is None else to_status(refusal).SerializeToString()


def decode_refusal(data: bytes | None) -> Refusal | None:
    """Return the refusal that `encode_refusal` wrote."""
    return None if data is None else from_status(Status.FromString(data))


def _record(row: sets.Row) -> Record:
    (checkout_id, merchant_id, request_id, outlet_id, terminal_id, property_code, fingerprint,
     member_id, opened_at, deadline_at, post, cancel_post, reserve, redeem, cancel_reservation,
     reverse, draft, gross_minor, coupons_minor, coupon_count, tendered_minor, state, decided_at,
     receipt, refusal, phase, commit_by, facts, authorize, held, points_held, stored_value_held,
     commit_request_id, commit_fingerprint, finished) = row  # fmt: skip
    first = Opening(
        checkout_id=checkout_id,
        request_id=request_id,
        till=Till(merchant_id, outlet_id, terminal_id, property_code),
        fingerprint=fingerprint,
        member_id=member_id,
        opened_at=opened_at,
        deadline_at=deadline_at,
        plan=Plan(post, cancel_post, reserve, redeem, cancel_reservation, reverse, authorize),
        draft=draft,
        gross_minor=gross_minor,
        coupons_minor=coupons_minor,
        coupon_count=coupon_count,
        tendered_minor=tendered_minor,
        commit_by=commit_by,
        facts=facts,
    )
    return Record(
        first,
        State(state),
        decided_at,
        receipt=receipt or b"",
        refusal=decode_refusal(refusal),
        finished=finished,
        phase=Phase(phase),
        held=opening.held_of(held, points_held, stored_value_held),
        commit=opening.commit_of(commit_request_id, commit_fingerprint),
    )
