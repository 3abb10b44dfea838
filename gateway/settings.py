"""Settings of the gateway's processes, each with its unit, default and reason."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.rpc.tls import ServerTls
from chassis.settings import (
    DatabaseSettings,
    KafkaSettings,
    RequestKeySettings,
    ServerSettings,
    listen_field,
)
from chassis.settings_rules import address


class GatewaySettings(ServerSettings, DatabaseSettings, RequestKeySettings, KafkaSettings):
    """`listen` is the partners' port; operators have one of their own."""

    model_config = SettingsConfigDict(env_prefix="HUITOUKE_GATEWAY_")

    listen: Annotated[str, AfterValidator(address)] = listen_field(9440)
    admin_listen: Annotated[str, AfterValidator(address)] = Field(
        "127.0.0.1:9450",
        description="host:port for operators, mutual TLS; keep it away from partners' networks",
    )
    message_bytes_max: int = Field(
        262_144,
        ge=131_072,
        description="Largest request or answer in bytes; a bill of 200 lines takes 110,000, and "
        "what is larger costs memory before anyone can say what is wrong with it",
    )
    partner_tls_certificate: str = Field(
        "",
        description="Certificate chain for the partners' port, PEM, of an authority partners "
        "trust; empty: the certificate between services",
    )
    partner_tls_key: SecretStr = Field(
        SecretStr(""), description="Private key of partner_tls_certificate, PEM"
    )
    member_target: str = Field(
        "127.0.0.1:9441", description="gRPC target of the member service, as dns:///member:9441"
    )
    points_target: str = Field("127.0.0.1:9442", description="gRPC target of the points service")
    coupon_target: str = Field("127.0.0.1:9443", description="gRPC target of the coupon service")
    upstream_timeout_seconds: float = Field(
        5.0,
        gt=0,
        le=30,
        description="Seconds one call to a service may take; the till's own deadline cuts it "
        "shorter. It bounds recovery's calls, which no till waits for",
    )
    key_cache_seconds: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Seconds a key and its terminal are believed before they are read again: how "
        "long a revoked key still works",
    )
    open_checkout_seconds: int = Field(
        1_800,
        ge=1,
        le=86_400,
        description="Seconds an open checkout may be committed where the till says nothing: a "
        "dinner, a treatment. What it holds nobody else can spend meanwhile; at most as long as "
        "open_checkout_seconds_max",
    )
    open_checkout_seconds_max: int = Field(
        86_400,
        ge=1,
        le=86_400,
        description="Longest a till may ask an open checkout to wait for its commit, in seconds; "
        "a stay's deposit takes a day",
    )
    recovery_grace_seconds: float = Field(
        3.0,
        ge=0.1,
        le=300,
        description="Seconds after its first record that a checkout is left to whoever opened it; "
        "shorter finds crashes sooner, and repeats more of what still goes well",
    )
    recovery_lease_seconds: float = Field(
        30.0,
        gt=0,
        le=600,
        description="Seconds a replica keeps what it has claimed; longer than one attempt takes",
    )
    recovery_poll_seconds: float = Field(
        0.5, gt=0, le=60, description="Seconds between two looks for unfinished checkouts"
    )
    recovery_backoff_seconds_max: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Longest pause before an unfinished checkout is tried again; the first is "
        "half a second, and each doubles",
    )
    writers: int = Field(
        1, ge=1, le=8, description="Threads that write checkouts, each with a connection of its own"
    )

    def partner_tls(self) -> ServerTls:
        """Credentials of the partners' port: no client certificate is asked for."""
        if not self.partner_tls_certificate:
            return self.server_tls(require_client_certificate=False)
        return ServerTls(
            certificate=self.partner_tls_certificate.encode(),
            key=self.partner_tls_key.get_secret_value().encode(),
        )
