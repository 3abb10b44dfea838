"""Warnings before points and BONUS expire, told in the daytime."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from services.points.domain.commands import WarnExpiring
from services.points.domain.warnings import horizons
from services.points.jobs.walking import Walk
from services.points.storage.queries import DuePage
from services.points.storage.warnings import unwarned_members

DAY_BEGINS, DAY_ENDS = 9, 21
"""Hours outside of DOMAIN §5's quiet hours: an SMS follows, and no guest wants one at midnight."""
NAME: Final = "warn"


def warning_walk(zone: ZoneInfo) -> Walk:
    """The walk that warns by the calendar of `zone`."""
    return Walk(NAME, partial(_find, zone), partial(_command, zone), partial(_is_daytime, zone))


def _find(
    zone: ZoneInfo, connection: Connection, after: UUID, limit: int, now: datetime
) -> DuePage:
    return unwarned_members(connection, after, limit, now, horizons(now, zone), zone)


def _command(zone: ZoneInfo, member_id: UUID) -> WarnExpiring:
    return WarnExpiring(member_id, zone)


def _is_daytime(zone: ZoneInfo, now: datetime) -> bool:
    return DAY_BEGINS <= now.astimezone(zone).hour < DAY_ENDS
