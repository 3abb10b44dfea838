"""Settings of the member service; only `main` reads them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.security import KeyRing, key_ring_for_mode
from chassis.settings import (
    DatabaseSettings,
    KafkaSettings,
    Key,
    RequestKeySettings,
    ServerSettings,
    key_bytes,
    listen_field,
)


class MemberSettings(ServerSettings, DatabaseSettings, RequestKeySettings, KafkaSettings):
    """HUITOUKE_MEMBER_..., and the shared ones without a service in their name."""

    model_config = SettingsConfigDict(env_prefix="HUITOUKE_MEMBER_")

    listen: str = listen_field(9441)
    key_ring: Annotated[SecretStr, AfterValidator(key_ring_for_mode)] = Field(
        description='JSON {"active": "k1", "keys": {"k1": base64 of 32 random bytes}}: the keys of '
        "personal data; add a key on every replica before making it active, keep old ones until "
        "nothing is sealed with them",
    )
    index_key: Key = Field(
        description="Base64 of 32 random bytes: blind indexes and card verification values; a "
        "changed key finds no member and verifies no card, so it is never rotated like the ring",
    )
    card_prefix: str = Field(
        "8866",
        pattern="^[1-9][0-9]{3}$",
        description="First four digits of new card numbers: the issuer; old cards stay valid",
    )
    command_queue_max: int = Field(
        4096,
        ge=1,
        description="Commands that may wait for the writer; more get RESOURCE_EXHAUSTED with a "
        "retry delay, because a caller would not wait that long",
    )

    def ring(self) -> KeyRing:
        return KeyRing.from_json(self.key_ring.get_secret_value())

    def index_key_bytes(self) -> bytes:
        return key_bytes(self.index_key)
