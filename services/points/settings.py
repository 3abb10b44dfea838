"""Settings of the points service; only `main` reads them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import (
    DatabaseSettings,
    KafkaSettings,
    RequestKeySettings,
    ServerSettings,
    listen_field,
)

COMMANDS_WAITING_MAX = 4096


class PointsSettings(ServerSettings, DatabaseSettings, RequestKeySettings, KafkaSettings):
    """HUITOUKE_POINTS_..., and the shared ones without a service in their name."""

    model_config = SettingsConfigDict(env_prefix="HUITOUKE_POINTS_")

    listen: str = listen_field(9442)
    command_queue_max: int = Field(
        COMMANDS_WAITING_MAX,
        ge=1,
        description="Commands that may wait for the writer; more get RESOURCE_EXHAUSTED with a "
        "retry delay, because a caller would not wait that long",
    )
    calendar_time_zone: ZoneInfo = Field(
        ZoneInfo("Asia/Shanghai"),
        description="IANA time zone whose days warnings are counted in and whose daytime they are "
        "given in; purchases bring the zone of their own property",
    )
    warning_interval_seconds: float = Field(
        3600.0,
        gt=0,
        le=86_400,
        description="Seconds between two looks for members to be warned before value expires; "
        "warnings change with the day, so an hour is soon enough",
    )
    expiry_interval_seconds: float = Field(
        300.0,
        gt=0,
        le=86_400,
        description="Seconds between two looks for idle members with something due or a "
        "hold that timed out; everybody else's ends with their next command, to the instant",
    )
