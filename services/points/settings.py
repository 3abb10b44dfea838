"""Settings of the points service; only `main` reads them."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import (
    DatabaseSettings,
    KafkaSettings,
    RequestKeySettings,
    ServerSettings,
    listen_field,
)
from services.points.domain.movements import MovementTerms

COMMANDS_WAITING_MAX = 4096


def _known_zone(name: str) -> str:
    """Let a zone of the IANA database pass."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or a folder of the database
        raise ValueError("must be an IANA time zone, Asia/Shanghai say") from None
    return name


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
    movement_time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "Asia/Shanghai",
        description="IANA zone in which days and months of transfer limits, and the expiry of "
        "adjustments, are counted: one for all members, since neither happens at a property",
    )
    transfer_group_members_max: int = Field(
        8, ge=2, le=50, description="Members of a family group: more is no family any more"
    )
    transfer_points_max: int = Field(
        20_000,
        ge=1,
        description="Points of one transfer: what may be spent without proof of presence",
    )
    transfer_points_day_max: int = Field(
        50_000, ge=1, description="Points that one member may give away in a day"
    )
    transfer_points_month_max: int = Field(
        200_000,
        ge=1,
        description="Points that one member may give away in a month, so that no account is "
        "emptied by and by",
    )
    adjust_points_max: int = Field(
        10_000,
        ge=0,
        description="Points that staff may adjust a member by in 24 hours without a second "
        "person; 0 for never",
    )
    adjust_minor_max: int = Field(
        10_000,
        ge=0,
        description="Fen of CASH, and of BONUS, that staff may adjust a member by in 24 hours "
        "without a second person; 0 for never",
    )
    top_up_refund_days: int = Field(
        7, ge=0, le=366, description="Days for which an untouched top-up is refunded (DOMAIN §3)"
    )

    def movement_terms(self) -> MovementTerms:
        return MovementTerms(
            ZoneInfo(self.movement_time_zone),
            self.transfer_group_members_max,
            self.transfer_points_max,
            self.transfer_points_day_max,
            self.transfer_points_month_max,
            self.adjust_points_max,
            self.adjust_minor_max,
            self.top_up_refund_days,
        )
