"""Field encryption: AES-256-GCM, bound to the table, column and row that a value belongs to."""

from __future__ import annotations

import os
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag

from chassis.security.keyring import KeyRing

NONCE_BYTES: Final = 12
_VERSION: Final = 1
_HEADER_BYTES: Final = 2


class UnreadableFieldError(Exception):
    """A stored value can't be decrypted: another row's, altered, or its key is gone."""


class FieldCipher:
    """Encrypts and decrypts the fields of one table under a key ring.

    A sealed value is `version (1) | key id length (1) | key id | nonce (12) | ciphertext and tag`.
    The associated data is `table|column|row id` (a UUID as its 16 bytes), so a value that was moved
    to another row or column doesn't decrypt. Equal plain values give different sealed ones.
    """

    def __init__(self, ring: KeyRing, table: str) -> None:
        """Use `ring` for the fields of `table`, whose name is code, never input."""
        assert "|" not in table
        ciphers = {_header(key_id): cipher for key_id, cipher in ring.ciphers().items()}
        self._header = _header(ring.active)
        self._active = ciphers[self._header]
        self._ciphers = ciphers
        self._table = table
        self._prefixes: dict[str, bytes] = {}

    def seal(self, column: str, row: UUID | str, value: str | bytes) -> bytes:
        """Return `value` encrypted with the active key for this row and column."""
        nonce = os.urandom(NONCE_BYTES)
        plain = value.encode() if isinstance(value, str) else value
        sealed = self._active.encrypt(nonce, plain, self._associated(column, row))
        return self._header + nonce + sealed

    def open(self, column: str, row: UUID | str, sealed: bytes) -> str:
        """Return the text that was sealed; raises UnreadableFieldError, which quotes nothing."""
        return self.open_bytes(column, row, sealed).decode()

    def open_bytes(self, column: str, row: UUID | str, sealed: bytes) -> bytes:
        """Return the bytes that were sealed; raises UnreadableFieldError."""
        body = _HEADER_BYTES + sealed[1] if len(sealed) >= _HEADER_BYTES else 0
        cipher = self._ciphers.get(sealed[:body])
        if cipher is None:
            raise self._unreadable(column, "isn't sealed with a key of this ring")
        nonce, content = sealed[body : body + NONCE_BYTES], sealed[body + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, content, self._associated(column, row))
        except (InvalidTag, ValueError):
            raise self._unreadable(column, "was altered or belongs elsewhere") from None

    def _associated(self, column: str, row: UUID | str) -> bytes:
        prefix = self._prefixes.get(column)
        if prefix is None:
            prefix = self._prefixes[column] = f"{self._table}|{column}|".encode()
        return prefix + (row.bytes if isinstance(row, UUID) else row.encode())

    def _unreadable(self, column: str, why: str) -> UnreadableFieldError:
        return UnreadableFieldError(f"{self._table}.{column} {why}")


def _header(key_id: str) -> bytes:
    return bytes([_VERSION, len(key_id)]) + key_id.encode()


def key_id_of(sealed: bytes) -> str:
    """Return the id of the key a value was sealed with; a rotation looks for old ones."""
    return sealed[_HEADER_BYTES : _HEADER_BYTES + sealed[1]].decode("ascii", "replace")
