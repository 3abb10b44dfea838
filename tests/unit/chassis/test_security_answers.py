"""Remembered answers: ciphertext, and without what is told once."""

from google.protobuf.wrappers_pb2 import StringValue

from chassis.security import KeyRing
from chassis.security.answers import SealedAnswerCodec

RING = KeyRing("k1", {"k1": bytes(32)})


def test_a_remembered_answer_is_unreadable_in_the_table_and_whole_in_a_replay() -> None:
    codec = SealedAnswerCodec(RING, [StringValue])
    remembered = codec.encode(StringValue(value="8866000000000000"))
    assert b"8866" not in remembered
    assert b"StringValue" not in remembered
    assert codec.decode(remembered) == StringValue(value="8866000000000000")


def test_what_is_forgotten_is_not_remembered_and_the_answer_itself_keeps_it() -> None:
    codec = SealedAnswerCodec(RING, [StringValue], forget=lambda _: StringValue(value="known"))
    answer = StringValue(value="known and secret")
    assert codec.decode(codec.encode(answer)) == StringValue(value="known")
    assert answer.value == "known and secret"


def test_an_answer_remembered_before_a_rotation_is_replayed_after_it() -> None:
    remembered = SealedAnswerCodec(RING, [StringValue]).encode(StringValue(value="x"))
    rotated = KeyRing("k2", {"k1": bytes(32), "k2": bytes([1]) * 32})
    assert SealedAnswerCodec(rotated, [StringValue]).decode(remembered).value == "x"
