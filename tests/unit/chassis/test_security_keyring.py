"""The key ring as a setting."""

import json
from base64 import b64encode
from typing import Annotated

import pytest
from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from chassis.security import KeyRing, KeyRingError, development_key_ring, key_ring_for_mode
from chassis.settings import ServiceSettings

KEY = bytes(range(32))


class RingSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="HUITOUKE_RING_")

    key_ring: Annotated[SecretStr, AfterValidator(key_ring_for_mode)]


def ring_text(**changes: object) -> str:
    return json.dumps({"active": "k1", "keys": {"k1": b64encode(KEY).decode()}} | changes)


def test_a_ring_reads_what_it_writes() -> None:
    ring = KeyRing("k2", {"k1": KEY, "k2": KEY[::-1]})
    assert KeyRing.from_json(ring.to_json()) == ring


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        ring_text(keys={}),
        ring_text(keys={"k1": "not base64!"}),
        ring_text(keys={"k1": b64encode(KEY[:31]).decode()}),
        ring_text(active="k2"),
        ring_text(keys={"k|1": b64encode(KEY).decode()}, active="k|1"),
        ring_text(keys={"": b64encode(KEY).decode()}, active=""),
        ring_text(keys={"k" * 17: b64encode(KEY).decode()}, active="k" * 17),
    ],
)
def test_a_malformed_ring_is_refused_without_showing_a_key(text: str) -> None:
    with pytest.raises(KeyRingError) as refused:
        KeyRing.from_json(text)
    assert b64encode(KEY).decode()[:12] not in str(refused.value)


def test_a_ring_never_shows_its_keys() -> None:
    assert repr(KEY)[2:10] not in repr(KeyRing("k1", {"k1": KEY}))


def test_production_refuses_the_development_ring_and_says_the_way_out() -> None:
    ring = development_key_ring("member").to_json()
    with pytest.raises(ValidationError, match="openssl rand -base64 32"):
        RingSettings(mode="production", key_ring=SecretStr(ring))
    assert RingSettings(mode="development", key_ring=SecretStr(ring))


def test_production_refuses_a_ring_with_one_development_key_among_others() -> None:
    known = development_key_ring("member").keys["dev1"]
    ring = KeyRing("k1", {"k1": KEY, "old": known}).to_json()
    with pytest.raises(ValidationError, match="refused in production"):
        RingSettings(mode="production", key_ring=SecretStr(ring))


def test_production_takes_keys_of_its_own() -> None:
    assert RingSettings(mode="production", key_ring=SecretStr(ring_text()))
