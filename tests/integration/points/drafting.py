"""Programmes for tests: the default one with rules added, drafted, activated or published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from huitouke.points.v1 import points_service_pb2 as points
from huitouke.points.v1 import programme_pb2, purchase_pb2
from huitouke.points.v1 import programme_service_pb2 as pb

from tests.integration.points.requests import request_id
from tests.integration.points.running import Caller

ADD, BASE = programme_pb2.STACKING_CLASS_ADD, programme_pb2.STACKING_CLASS_BASE
ISSUER, MERCHANT = purchase_pb2.FUNDER_ISSUER, purchase_pb2.FUNDER_MERCHANT


def bonus(code: str, fixed_points: int, **more: Any) -> programme_pb2.EarningRule:
    """A rule that adds points; `expression` and the like go into its condition."""
    asked = ("expression", "seasons", "first_purchase_only")
    condition = {name: more.pop(name) for name in asked if name in more}
    return programme_pb2.EarningRule(
        code=code,
        stacking_class=ADD,
        fixed_points=fixed_points,
        funder=more.pop("funder", ISSUER),
        condition=programme_pb2.Condition(**condition),
        **more,
    )


async def with_rules(
    operator: Caller, *rules: programme_pb2.EarningRule, since: datetime | None = None
) -> programme_pb2.Programme:
    """The programme valid now with these rules added, or in the place of those of their codes."""
    found = await operator.call("GetProgramme", points.GetProgrammeRequest())
    programme: programme_pb2.Programme = found.programme
    codes = {rule.code for rule in rules}
    kept = [rule for rule in programme.earning_rules if rule.code not in codes]
    del programme.earning_rules[:]
    programme.earning_rules.extend([*kept, *rules])
    programme.valid_from.FromDatetime(since or datetime.now(UTC) - timedelta(hours=1))
    return programme


async def publish(
    operator: Caller, *rules: programme_pb2.EarningRule, since: datetime | None = None
) -> int:
    """Publish a version with these rules; returns its number."""
    programme = await with_rules(operator, *rules, since=since)
    request = points.PublishProgrammeRequest(request_id=request_id(), programme=programme)
    return int((await operator.call("PublishProgramme", request)).version)


async def draft(
    operator: Caller, *rules: programme_pb2.EarningRule, since: datetime | None = None
) -> str:
    """Make a draft with these rules; returns its id."""
    programme = await with_rules(operator, *rules, since=since)
    request = pb.CreateProgrammeDraftRequest(
        request_id=request_id(), programme=programme, title="a try"
    )
    return str((await operator.call("CreateProgrammeDraft", request)).draft_id)


def activation(draft_id: str, revision: int = 1, expected: int = 0) -> pb.ActivateProgrammeRequest:
    return pb.ActivateProgrammeRequest(
        request_id=request_id(),
        draft_id=draft_id,
        expected_revision=revision,
        expected_version=expected,
    )
