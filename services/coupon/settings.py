"""Settings of the coupon service; only `main` reads them."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import (
    DatabaseSettings,
    KafkaSettings,
    RequestKeySettings,
    ServerSettings,
    listen_field,
)


class CouponSettings(ServerSettings, DatabaseSettings, RequestKeySettings, KafkaSettings):
    """What a process of the coupon service is told."""

    model_config = SettingsConfigDict(env_prefix="HUITOUKE_COUPON_")

    listen: str = listen_field(9443)
    coupons_per_checkout_max: int = Field(
        5,
        ge=1,
        le=10,
        description="Coupons that one checkout may use; more are refused with NOT_STACKABLE. The "
        "contract carries 10, a receipt that guests can follow holds fewer",
    )
    command_queue_max: int = Field(
        4096,
        ge=1,
        description="Commands that may wait for the writer; above it callers get "
        "RESOURCE_EXHAUSTED with a retry delay",
    )
