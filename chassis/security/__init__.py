"""Field encryption and blind indexes: personal data at rest, still found by equality.

A service keeps a key ring outside its database and uses it in its storage module only:

    ring = KeyRing.from_json(settings.key_ring.get_secret_value())
    cipher = FieldCipher(ring, "members")
    sealed = cipher.seal("name", member_id, "张三")          # bytea column
    name = cipher.open("name", member_id, sealed)            # raises UnreadableFieldError

    mobiles = BlindIndex(key, "members.mobile")
    mobiles.of("+8619900000001")                             # 32 bytes, UNIQUE column

Pure functions over `cryptography` and the standard library; no I/O, no clock; safe in any thread.
"""

from chassis.security.blind_index import BlindIndex
from chassis.security.fields import FieldCipher, UnreadableFieldError
from chassis.security.keyring import KeyRing, KeyRingError, development_key_ring, key_ring_for_mode

__all__ = [
    "BlindIndex",
    "FieldCipher",
    "KeyRing",
    "KeyRingError",
    "UnreadableFieldError",
    "development_key_ring",
    "key_ring_for_mode",
]
