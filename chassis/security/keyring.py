"""The key ring: the AES-256 keys of personal data, one of them active, none in the database."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr, ValidationInfo

from chassis.settings_rules import DEVELOPMENT_KEY_PREFIX, in_production

KEY_BYTES: Final = 32
KEY_ID_LENGTH_MAX: Final = 16
_SHAPE: Final = '{"active": "k1", "keys": {"k1": "<base64 of 32 random bytes>"}}'


class KeyRingError(ValueError):
    """The key ring is malformed; the text says what is wrong and shows no key."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by id; `active` encrypts, all decrypt.

    Rotation without downtime takes three releases of the setting: add the new key (every replica
    can read it), make it active (new values are written with it), and only after all old values
    were written anew take the old key out. A key encrypts at most 2**32 values: the bound for
    random 96-bit nonces.
    """

    active: str
    keys: Mapping[str, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        for key_id, key in self.keys.items():
            if not (key_id.isascii() and key_id.isalnum() and len(key_id) <= KEY_ID_LENGTH_MAX):
                raise KeyRingError(f"a key id has 1 to {KEY_ID_LENGTH_MAX} ASCII letters or digits")
            if len(key) != KEY_BYTES:
                raise KeyRingError(f"key {key_id} has {len(key)} bytes, needs {KEY_BYTES}")
        if self.active not in self.keys:
            raise KeyRingError(f"the active key {self.active!r} is not among the keys")

    @classmethod
    def from_json(cls, text: str) -> KeyRing:
        """Read `{"active": "k1", "keys": {"k1": base64}}`; raises KeyRingError."""
        try:
            content = json.loads(text)
            active, encoded = content["active"], dict(content["keys"])
            keys = {str(name): b64decode(key, validate=True) for name, key in encoded.items()}
        except (ValueError, KeyError, TypeError, Base64Error):
            raise KeyRingError(f"isn't a key ring such as {_SHAPE}") from None
        return cls(str(active), keys)

    def to_json(self) -> str:
        """Return what `from_json` reads: a secret."""
        keys = {key_id: b64encode(key).decode() for key_id, key in self.keys.items()}
        return json.dumps({"active": self.active, "keys": keys})

    def ciphers(self) -> dict[str, AESGCM]:
        """Return a ready cipher for each key id."""
        return {key_id: AESGCM(key) for key_id, key in self.keys.items()}

    def for_development(self) -> bool:
        """Tell whether any key is one of a laptop's, which everybody knows."""
        return any(key.startswith(DEVELOPMENT_KEY_PREFIX) for key in self.keys.values())


def development_key_ring(service: str) -> KeyRing:
    """Return a fixed ring for laptops and tests; production mode refuses it."""
    key = (DEVELOPMENT_KEY_PREFIX + service.encode()).ljust(KEY_BYTES, b"-")[:KEY_BYTES]
    return KeyRing("dev1", {"dev1": key})


def key_ring_for_mode(text: SecretStr, info: ValidationInfo) -> SecretStr:
    """Validate a key ring setting; development keys stay out of production."""
    ring = KeyRing.from_json(text.get_secret_value())
    if ring.for_development() and in_production(info):
        raise ValueError(
            "a development key ring is refused in production mode; make keys with: "
            "openssl rand -base64 32"
        )
    return text
