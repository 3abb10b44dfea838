"""Requests about obviously synthetic guests: +86 199 0000 NNNN, names that nobody has."""

from __future__ import annotations

import itertools
from typing import Any

from huitouke.member.v1 import member_pb2, member_service_pb2

_numbers = itertools.count(1)


def mobile(number: int) -> str:
    """The mobile of synthetic guest `number`."""
    return f"+8619900{number:06d}"


def enrolment(number: int, **changes: Any) -> member_service_pb2.EnrolRequest:
    """A front desk's enrolment of synthetic guest `number`; each one with its own request id."""
    fields: dict[str, Any] = {
        "request_id": f"enrol-{number}-{next(_numbers)}",
        "name": f"虚构{number}",
        "title": member_pb2.TITLE_MS,
        "mobile": mobile(number),
        "home_property": "SH01",
        "channel": member_pb2.ENROLMENT_CHANNEL_FRONT_DESK,
        "vouched_by_staff": "S-1",
        "time_zone": "Asia/Shanghai",
    }
    return member_service_pb2.EnrolRequest(**(fields | changes))
