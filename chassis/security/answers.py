"""Remembered answers that hold personal data: encrypted, and without what is told once only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from chassis.security.fields import FieldCipher
from chassis.security.keyring import KeyRing
from chassis.storage.answers import ProtoAnswerCodec

M = TypeVar("M", bound=Message)
_COLUMN: Final = "outcome"
_ROW: Final = "answer"


class SealedAnswerCodec(Generic[M]):
    """An executor's AnswerCodec that keeps protobuf answers as ciphertext under a key ring.

    `forget(answer)` returns the answer as a replay may show it (a secret left out) and must not
    change what it was given. The executor doesn't say whose answer it encodes, so the associated
    data names the table and column alone.
    """

    def __init__(
        self,
        ring: KeyRing,
        types: Sequence[type[M]],
        forget: Callable[[M], M] = lambda answer: answer,
    ) -> None:
        self._cipher = FieldCipher(ring, "requests")
        self._plain: ProtoAnswerCodec[M] = ProtoAnswerCodec(types)
        self._forget = forget

    def encode(self, answer: M) -> bytes:
        """Return the sealed answer without what is forgotten."""
        return self._cipher.seal(_COLUMN, _ROW, self._plain.encode(self._forget(answer)))

    def decode(self, data: bytes) -> M:
        """Return the answer; raises UnreadableFieldError when its key is gone."""
        return self._plain.decode(self._cipher.open_bytes(_COLUMN, _ROW, data))
