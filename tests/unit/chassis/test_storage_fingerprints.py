"""Fingerprints of requests, and outcomes as bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import struct_pb2, wrappers_pb2
from google.protobuf.message import Message
from google.protobuf.type_pb2 import Type
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Category, FieldViolation, Refusal
from chassis.storage.answers import (
    ProtoAnswerCodec,
    decode_outcome,
    encode_answer,
    encode_refusal,
)
from chassis.storage.requests import command_fingerprint, fingerprint, first_difference
from tests.integration.chassis.storage_accounts import PostRequest

KEY = b"synthetic key of 32 bytes length"
OTHER_KEY = b"another key, also of 32 bytes len"[:32]
REQUESTS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    member_id=st.sampled_from(["", "m1", "m2"]),
    amount=st.sampled_from([0, 1, -1, 2**62]),
    note=st.sampled_from(["", "n", "好"]),
    pin=st.sampled_from(["", "1"]),
)
NUMBERED = ("member_id", "amount", "note", "pin")


@given(first=REQUESTS, second=REQUESTS)
def test_the_first_field_that_differs_is_named(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    old = fingerprint(PostRequest(request_id="r", **first), KEY)
    new = fingerprint(PostRequest(request_id="r", **second), KEY)
    differing = [name for name in NUMBERED if first[name] != second[name]]
    assert first_difference(old.field_macs, new) == (differing[0] if differing else None)


def test_an_unknown_group_is_part_of_what_was_said() -> None:
    """Nobody sends one but a caller who tries what happens; it must be no defect of ours."""
    start, end, inner = b"\x9b\x06", b"\x9c\x06", b"\x08\x01"  # field 99, holding field 1
    macs = []
    for group in (b"", start + end, start + inner + end, start + start + end + inner + end):
        request = PostRequest.FromString(PostRequest(request_id="r").SerializeToString() + group)
        macs.append(fingerprint(request, KEY).field_macs)
    assert len(set(macs)) == len(macs)


def test_equal_fields_of_two_requests_cannot_be_linked() -> None:
    one, two = (
        fingerprint(PostRequest(request_id=each, member_id="m1", note="n"), KEY)
        for each in ("r1", "r2")
    )
    macs = [{each.field_macs[at + 4 : at + 20] for at in (0, 20)} for each in (one, two)]
    assert not macs[0] & macs[1]


def test_macs_need_the_key_and_hold_nothing_readable() -> None:
    request = PostRequest(request_id="r1", note="19900000000")
    mine, theirs = fingerprint(request, KEY), fingerprint(request, OTHER_KEY)
    assert mine.field_macs != theirs.field_macs
    assert len(mine.field_macs) == 20
    assert b"199" not in mine.field_macs


def test_a_field_this_release_does_not_know_counts_by_its_number() -> None:
    """An older replica compares a newer client's requests as exactly as a newer one would."""
    known = PostRequest(request_id="r1", member_id="m1")
    unknown = PostRequest.FromString(known.SerializeToString() + b"\x98\x06\x01")  # field 99
    difference = first_difference(fingerprint(known, KEY).field_macs, fingerprint(unknown, KEY))
    assert difference == "99"


def test_repeated_nested_and_fixed_width_fields_are_covered() -> None:
    one, two = Type(name="t", oneofs=["a", "b"]), Type(name="t", oneofs=["ab"])
    new = fingerprint(two, KEY)
    assert first_difference(fingerprint(one, KEY).field_macs, new) == "oneofs"
    for message in (
        struct_pb2.Value(number_value=1.5),
        wrappers_pb2.FloatValue(value=2),
        wrappers_pb2.BoolValue(value=True),
    ):
        assert len(fingerprint(message, KEY).field_macs) == 20


def test_commands_without_a_message_are_compared_by_position() -> None:
    old = command_fingerprint("points.expire", [b"member", b"2030-01-01"], KEY)
    same = command_fingerprint("points.expire", [b"member", b"2030-01-01"], KEY)
    new = command_fingerprint("points.expire", [b"member", b"2030-01-02"], KEY)
    assert first_difference(old.field_macs, same) is None
    assert first_difference(old.field_macs, new) == "2"


def test_an_answer_is_remembered_by_its_type() -> None:
    codec: ProtoAnswerCodec[Message] = ProtoAnswerCodec(
        [wrappers_pb2.Int64Value, wrappers_pb2.StringValue]
    )
    for answer in (wrappers_pb2.Int64Value(value=7), wrappers_pb2.StringValue(value="七")):
        assert decode_outcome(codec, encode_answer(codec, answer)) == answer


def test_an_answer_of_a_type_the_codec_was_not_given_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="BoolValue"):
        ProtoAnswerCodec([wrappers_pb2.Int64Value]).encode(wrappers_pb2.BoolValue())  # type: ignore[arg-type]


@pytest.mark.parametrize("category", list(Category))
def test_a_refusal_is_remembered_whole_and_comes_back_as_replayed(category: Category) -> None:
    refusal = Refusal(
        category,
        "SOME_REASON",
        "余额不足",
        fields=[FieldViolation("lines[2].amount", "at least 0")],
        metadata={"limit": "5000"},
        retry_after_seconds=0.5,
    )
    again = decode_outcome(ProtoAnswerCodec([]), encode_refusal(refusal))
    assert isinstance(again, Refusal)
    assert again.replayed
    assert vars(again) == {**vars(refusal), "replayed": True}


def test_a_remembered_refusal_can_be_read_by_any_later_release() -> None:
    content = json.loads(encode_refusal(Refusal(Category.INVALID, "R", "m"))[1:])
    assert set(content) == {
        "category",
        "reason",
        "message",
        "fields",
        "metadata",
        "retry_after_seconds",
    }
