"""A crowd at two replicas: whatever crosses whatever, the books balance and nothing is a defect."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

from huitouke.coupon.v1 import coupon_service_pb2 as pb
from sqlalchemy import text

from chassis.kernel import Refusal
from chassis.storage.engine import create_engine
from tests.integration.coupon.asking import (
    a_basket,
    a_campaign,
    a_claim,
    an_id,
    cancelling,
    expecting,
    redeeming,
    reserving,
    rolling_back,
)
from tests.integration.coupon.running import Caller, Replica, migrated, running

CODES = ("RED", "GREEN", "BLUE")
BASKET = a_basket(30_000, 7_000, 1)


class Crowd:
    """Members who claim, reserve, redeem, cancel and roll back without waiting for each other."""

    def __init__(self, replicas: list[Replica], seed: int) -> None:
        self._callers = [replica.gateway for replica in replicas]
        self._random = random.Random(seed)
        self._members = [an_id() for _ in range(6)]
        shared = [an_id(), an_id()]
        self._checkouts = {each: [an_id() for _ in range(12)] + shared for each in self._members}
        self._coupons: dict[str, list[str]] = {member: [] for member in self._members}
        self.outcomes: Counter[str] = Counter()

    async def act(self) -> None:
        """Send one random request, sometimes to both replicas at once."""
        member = self._random.choice(self._members)
        request = self._request(member)
        callers = self._random.sample(self._callers, self._random.choice((1, 1, 2)))
        answers = await asyncio.gather(*(self._outcome(caller, request) for caller in callers))
        lasting = {str(answer) for answer in answers} - {"CHECKOUT_NOT_REDEEMED"}
        assert len(lasting) <= 1, "two answers for one request"
        if isinstance(answers[0], pb.ClaimCouponResponse):
            self._coupons[member].append(answers[0].coupon.coupon_id)

    def _request(self, member: str) -> Any:
        checkout = self._random.choice(self._checkouts[member])
        kinds = ("claim", "reserve", "reserve", "redeem", "redeem", "cancel", "roll", "roll")
        kind = self._random.choice(kinds)
        owned = self._coupons[member]
        if kind == "claim" or not owned:
            return a_claim(member, self._random.choice(CODES))
        if kind == "reserve":
            named = self._random.sample(owned, min(len(owned), self._random.choice((1, 2))))
            expected = [expecting(each, 5_000) for each in named]
            return reserving(member, checkout, BASKET, expected)
        if kind == "roll":
            return rolling_back(member, checkout)
        return (redeeming if kind == "redeem" else cancelling)(member, checkout)

    async def _outcome(self, caller: Caller, request: Any) -> Any:
        try:
            answer = await caller.call(request)
        except Refusal as refusal:
            self.outcomes[refusal.reason] += 1
            return refusal.reason
        self.outcomes[type(answer).__name__] += 1
        return answer


def test_a_crowd_that_crosses_itself_at_two_replicas_leaves_balanced_books(
    database_url: str, certificates: Path
) -> None:
    async def scenario() -> Counter[str]:
        async with running(migrated(database_url), certificates, replicas=2) as replicas:
            for code in CODES:
                await replicas[0].operator.call(a_campaign(code, quantity=40, per_member=9))
            crowd = Crowd(replicas, seed=20300501)
            for _ in range(12):
                await asyncio.gather(*(crowd.act() for _ in range(40)))
            books = await replicas[1].operator.call(pb.VerifyBooksRequest())
            assert books.balanced, books
            return crowd.outcomes

    outcomes = asyncio.run(scenario())
    assert not {"INTERNAL", "UNAVAILABLE"} & set(outcomes), outcomes
    for answer in ("ClaimCoupon", "Reserve", "Redeem", "CancelReservation", "RollBack"):
        assert outcomes[f"{answer}Response"], outcomes
    engine = create_engine(database_url, application_name="test-versions")
    with engine.connect() as connection:
        gaps = connection.execute(
            text(
                "SELECT count(*) FROM (SELECT version - row_number() OVER "
                "(PARTITION BY aggregateid ORDER BY seq) AS gap FROM outbox) AS v WHERE gap <> 0"
            )
        ).scalar()
    engine.dispose()
    assert gaps == 0
