"""Field rules as one refusal: all faults of a request, but never work without bound."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import struct_pb2

from chassis.kernel import Refusal
from chassis.rpc.validation import ELEMENTS_MAX, refuse_nul, validate
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
