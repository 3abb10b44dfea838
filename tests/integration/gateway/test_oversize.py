"""Ten megabytes from a till: refused by their own reason, and nothing is changed anywhere."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import psycopg
from huitouke.gateway.v1 import partner_service_pb2_grpc

from chassis.kernel import Refusal
from cli.clients import partner_credentials
from cli.suite import Suite
from tests.integration.gateway.test_movements import transfer
from tests.integration.gateway.till import Till, purchase, refusal_of
from tests.oversize import LARGE_HEADER, TEN_MEGABYTES, UNBOUNDED
from tests.oversize import refusal_of as refusal_of_raw

LIMIT_BYTES, HEADER_LIMIT_BYTES = 262_144, 16_384


def requests_kept(suite: Suite) -> list[int]:
    """How many requests gateway and ledger remember: each that got in is one."""
    counts = []
    for service in ("gateway", "points"):
        with psycopg.connect(suite.database_url(service)) as connection:
            row = connection.execute("SELECT count(*) FROM requests").fetchone()
        counts.append(row[0] if row else -1)
    return counts


def sent(
    suite: Suite, till: Till, request: object, metadata: Sequence[tuple[str, str]] = ()
) -> Refusal:
    """The refusal of a transfer by a till without limits of its own."""
    own = (("authorization", f"Bearer {till.key}"), ("huitouke-terminal", till.terminal_id))
    credentials = partner_credentials(suite.endpoints)
    with grpc.secure_channel(suite.endpoints.partner, credentials, options=UNBOUNDED) as channel:
        stub = partner_service_pb2_grpc.PartnerServiceStub(channel)
        return refusal_of_raw(stub.TransferPoints, request, (*own, *metadata))


def test_ten_megabytes_in_a_field_or_in_the_metadata_are_refused_and_change_nothing(
    gateway_suite: Suite, front_desk: Till, restaurant: Till
) -> None:
    mother, son = front_desk.member_id(), front_desk.member_id()
    restaurant.checkout(purchase(mother, 50_000))
    points, before = front_desk.balances(mother).points, requests_kept(gateway_suite)
    huge = transfer(mother, son, 100)
    huge.note = "x" * TEN_MEGABYTES
    refused = sent(gateway_suite, front_desk, huge)
    assert (refused.reason, refused.passing) == ("REQUEST_TOO_LARGE", False)
    assert refused.metadata is not None
    assert refused.metadata["limit_bytes"] == str(LIMIT_BYTES)
    refused = sent(gateway_suite, front_desk, transfer(mother, son, 100), [LARGE_HEADER])
    assert (refused.reason, refused.passing) == ("METADATA_TOO_LARGE", False)
    assert refused.metadata == {
        "bytes": str(TEN_MEGABYTES),
        "limit_bytes": str(HEADER_LIMIT_BYTES),
    }
    assert requests_kept(gateway_suite) == before
    assert front_desk.balances(mother).points == points


def test_a_note_that_fits_into_a_request_but_not_its_own_limit_is_named(front_desk: Till) -> None:
    for length in (141, LIMIT_BYTES - 1_000):
        request = transfer(front_desk.member_id(), front_desk.member_id(), 100)
        request.note = "x" * length
        refused = refusal_of(front_desk.call, "TransferPoints", request)
        assert refused.reason == "INVALID_FIELD"
        assert [each.field for each in refused.fields] == ["note"]
