"""Fingerprints of what a till asked: keyed MACs of its fields, named as the till knows them."""

from __future__ import annotations

import hashlib

from google.protobuf.message import Message

from chassis.storage.requests import Fingerprint, fingerprint, first_difference


def nested_fingerprint(
    message: Message, request_id: str, key: bytes, *, within: str
) -> Fingerprint:
    """Return the fingerprint of `message`, a request's field `within` that holds all it says.

    Its fields are named `within.name`. The MACs cover the request id, so that equal fields of
    different requests can't be linked.
    """
    own_key = hashlib.blake2b(request_id.encode(), key=key, digest_size=32).digest()
    plain = fingerprint(message, own_key)
    name = plain.field_name
    return Fingerprint(plain.method, plain.field_macs, lambda number: f"{within}.{name(number)}")


def differing_field(remembered: bytes, asked: Fingerprint) -> str | None:
    """Name the first field that differs from the first request; None when all is the same.

    Nothing differs from a request that was cancelled before it was ever seen.
    """
    return first_difference(remembered, asked) if remembered else None


__all__ = ["Fingerprint", "differing_field", "fingerprint", "nested_fingerprint"]
