"""Field rules as one refusal: all faults of a request, but never work without bound."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf import struct_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.points.v1.entry_pb2 import ASSET_POINTS
from huitouke.points.v1.import_pb2 import OpeningBalance
from huitouke.points.v1.import_service_pb2 import ImportOpeningBalancesRequest

from chassis.kernel import Refusal
from chassis.rpc.validation import ELEMENTS_MAX, refuse_nul, validate, validate_alone
from tests.integration.chassis.echo import EchoRequest


def faults_of(request: Any) -> list[str]:
    with pytest.raises(Refusal) as caught:
        validate(request)
    assert caught.value.reason == "INVALID_FIELD"
    return [violation.field for violation in caught.value.fields]


def test_every_fault_of_a_request_of_ordinary_size_is_named() -> None:
    assert faults_of(EchoRequest(counts=[-1] * ELEMENTS_MAX)) == [
        "text",
        *(f"counts[{place}]" for place in range(ELEMENTS_MAX)),
    ]


def test_of_a_request_with_more_elements_than_any_contract_takes_one_fault_is_named() -> None:
    assert faults_of(EchoRequest(text="hello", counts=[-1] * 1_000_000)) == ["counts[0]"]


def test_texts_that_no_database_can_keep_are_named_wherever_they_are() -> None:
    nested = struct_pb2.Value(string_value="a\0b")
    request = struct_pb2.ListValue(values=[struct_pb2.Value(string_value="fine"), nested])
    with pytest.raises(Refusal) as caught:
        refuse_nul(request)
    assert [each.field for each in caught.value.fields] == ["values[1].string_value"]
    refuse_nul(struct_pb2.ListValue(values=[struct_pb2.Value(number_value=0.0)]))


def test_what_the_contract_validates_alone_spoils_nothing_around_it() -> None:
    wrong = OpeningBalance(line=1, reference="a\0b")
    request = ImportOpeningBalancesRequest(import_id=str(uuid4()), rows=[wrong])
    validate(request)
    refuse_nul(request)
    with pytest.raises(Refusal) as caught:
        validate_alone(wrong)
    assert "member_id" in [each.field for each in caught.value.fields]
    wrong.MergeFrom(
        OpeningBalance(
            member_id=str(uuid4()), asset=ASSET_POINTS, amount=1, earned_at=Timestamp(nanos=5)
        )
    )
    with pytest.raises(Refusal) as caught:
        validate_alone(wrong)
    assert [each.field for each in caught.value.fields] == ["reference"]
