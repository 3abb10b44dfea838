"""Blind indexes: equality look-up of values that are stored encrypted only."""

from __future__ import annotations

import hmac
from typing import Final

MAC_BYTES: Final = 32
KEY_BYTES_MIN: Final = 32


class BlindIndex:
    """HMAC-SHA256 of one kind of value under a key of its own.

    `domain` ("members.mobile") separates kinds: the working key is derived from it, so that equal
    texts in two columns can't be linked. The same key makes derived codes, such as a card's
    verification value, under a domain of their own.

    The master key can't be rotated by adding another: a changed key finds nothing until every
    index was computed anew. It is a setting apart from the key ring for that reason.
    """

    def __init__(self, key: bytes, domain: str) -> None:
        """Derive the working key of `domain` from `key`, at least 32 secret bytes."""
        assert len(key) >= KEY_BYTES_MIN
        self._key = hmac.digest(key, b"huitouke blind index|" + domain.encode(), "sha256")

    def of(self, normalised: str) -> bytes:
        """Return the 32 bytes under which a normalised value is found."""
        return hmac.digest(self._key, normalised.encode(), "sha256")
