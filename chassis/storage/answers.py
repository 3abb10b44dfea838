"""Remembered outcomes: answers and refusals as bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Generic, TypeVar

from google.protobuf.message import Message

from chassis.kernel.refusals import Category, FieldViolation, Refusal
from chassis.storage.contracts import AnswerCodec

A = TypeVar("A")
M = TypeVar("M", bound=Message)
_ANSWER, _REFUSAL = b"A", b"R"


class ProtoAnswerCodec(Generic[M]):
    """Remembers protobuf answers as type name and serialized message.

    Give it every response type the executor's commands answer with. Answers that hold a secret
    need a codec of their own that leaves it out.
    """

    def __init__(self, types: Sequence[type[M]]) -> None:
        """Know `types` by their full names."""
        self._types = {kind.DESCRIPTOR.full_name.encode(): kind for kind in types}

    def encode(self, answer: M) -> bytes:
        """Return the name, a zero byte and the message."""
        name = answer.DESCRIPTOR.full_name.encode()
        assert name in self._types, f"{name.decode()} was not given to the codec"
        return name + b"\0" + answer.SerializeToString()

    def decode(self, data: bytes) -> M:
        """Return the message; raises KeyError for a type this release does not know."""
        name, _, content = data.partition(b"\0")
        return self._types[name].FromString(content)


def encode_answer(codec: AnswerCodec[A], answer: A) -> bytes:
    """Return the outcome bytes of an answer."""
    return _ANSWER + codec.encode(answer)


def encode_refusal(refusal: Refusal) -> bytes:
    """Return the outcome bytes of a refusal."""
    content = {
        "category": refusal.category.value,
        "reason": refusal.reason,
        "message": refusal.message,
        "fields": [[violation.field, violation.rule] for violation in refusal.fields],
        "metadata": refusal.metadata,
        "retry_after_seconds": refusal.retry_after_seconds,
    }
    return _REFUSAL + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def decode_outcome(codec: AnswerCodec[A], data: bytes) -> A | Refusal:
    """Return the remembered answer, or the remembered refusal marked as replayed."""
    if data[:1] == _ANSWER:
        return codec.decode(data[1:])
    content = json.loads(data[1:])
    refusal = Refusal(
        Category(content["category"]),
        content["reason"],
        content["message"],
        fields=[FieldViolation(*violation) for violation in content["fields"]],
        metadata=content["metadata"],
        retry_after_seconds=content["retry_after_seconds"],
    )
    refusal.replayed = True
    return refusal
