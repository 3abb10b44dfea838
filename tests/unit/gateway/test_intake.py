"""What a write that is passed on is answered for good, and what is only so for now."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from huitouke.gateway.v1 import partner_service_pb2

from chassis.kernel import Category, Refusal
from gateway.domain.checkouts import Till
from gateway.domain.notes import Note
from gateway.domain.principals import Principal
from gateway.servicers.intake import Intake

SOME = UUID("00000000-0000-4000-8000-000000000001")
DESK = Principal(
    merchant_id=SOME,
    scopes=frozenset(),
    category=1,
    accepts_stored_value=True,
    sells_stored_value=True,
    till=Till(SOME, SOME, SOME, "SH01"),
    time_zone="Asia/Shanghai",
)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(Category.FORBIDDEN, "CALLER_NOT_ALLOWED", "gateway may not call this"),
        Refusal(Category.UNAUTHENTICATED, "UNAUTHENTICATED", "show a client certificate"),
        Refusal(Category.UNAVAILABLE, "UNAVAILABLE", "away"),
    ],
)
def test_a_service_that_does_not_let_the_gateway_in_gives_no_answer_to_be_remembered(
    refusal: Refusal,
) -> None:
    class Executor:
        async def execute(self, submission: Any) -> Any:
            raise AssertionError(f"an answer for good: {submission}")

    async def refused() -> Note:
        raise refusal

    intake = Intake(Executor(), b"k" * 32)  # type: ignore[arg-type]
    request = partner_service_pb2.TopUpRequest(request_id="r")
    with pytest.raises(Refusal) as caught:
        asyncio.run(intake.note(request, DESK, refused()))
    assert (caught.value.passing, caught.value.reason) == (True, "UNAVAILABLE")
