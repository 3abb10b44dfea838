"""Settings of the notify service; only `main` reads them."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import (
    DatabaseSettings,
    KafkaSettings,
    RequestKeySettings,
    ServerSettings,
    listen_field,
    target_field,
)


class NotifySettings(ServerSettings, DatabaseSettings, RequestKeySettings, KafkaSettings):
    """HUITOUKE_NOTIFY_..., and the shared ones without a service in their name."""

    model_config = SettingsConfigDict(env_prefix="HUITOUKE_NOTIFY_")

    listen: str = listen_field(9444)
    member_target: str = target_field("member", 9441)
    smpp_host: str = Field("127.0.0.1", description="Host of the SMS provider's SMPP 3.4 server")
    smpp_port: int = Field(2775, ge=1, le=65535, description="Port of that server")
    smpp_system_id: str = Field("", max_length=15, description="Account on that server")
    smpp_password: SecretStr = Field(
        SecretStr(""), max_length=8, description="Its password; SMPP allows 8 characters"
    )
    sms_source: str = Field(
        "10690000", pattern="^[0-9]{3,20}$", description="Number that guests see as the sender"
    )
    sms_signature: str = Field(
        "【回头客】",
        pattern="^【.{2,12}】$",
        description="Put in front of each SMS, as mainland operators demand",
    )
    sms_window: int = Field(
        32, ge=1, le=1000, description="Submissions that may wait for the provider's answer"
    )
    smtp_host: str = Field("127.0.0.1", description="Host of the mail relay")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port; STARTTLS is demanded")
    smtp_ca: str = Field(
        "",
        description="Certificates of the authorities that may sign the relay's, PEM, usually given "
        "as ..._SMTP_CA_FILE; empty: those of the operating system",
    )
    smtp_user: str = Field("", description="Account at the mail relay; empty: none is asked for")
    smtp_password: SecretStr = Field(SecretStr(""), description="The account's password")
    smtp_connections: int = Field(
        4, ge=1, le=32, description="Connections to the mail relay, each with one e-mail at a time"
    )
    mail_from: str = Field(
        "Huitouke <noreply@huitouke.example>", description="Sender of e-mails, as a header shows it"
    )
    provider_timeout_seconds: float = Field(
        15.0, gt=0, le=60, description="Seconds a provider has to answer one submission"
    )
    send_batch: int = Field(
        100, ge=1, le=256, description="Messages taken at once: one look at contacts, two commits"
    )
    lease_seconds: float = Field(
        60.0,
        ge=1,
        le=3600,
        description="Seconds until another process may take over what one that died had taken; a "
        "living one renews its claims, so this is how long a crash delays a message",
    )
    retry_seconds: float = Field(
        2.0,
        gt=0,
        le=600,
        description="Seconds until the first retry of a message that a provider did not take; each "
        "further one waits twice as long, ten minutes at most",
    )
    give_up_hours: float = Field(
        24.0, gt=0, le=168, description="Hours after which a message that nobody took is given up"
    )
    poll_seconds: float = Field(
        0.2, gt=0, le=60, description="Pause of the sender when nothing waits"
    )
