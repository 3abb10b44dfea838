"""What the database itself refuses, whoever writes; and that code and migrations agree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from chassis.storage.engine import create_engine
from services.coupon.domain.books import report
from services.coupon.storage.tables import metadata
from services.coupon.storage.verification import tally_campaigns
from tests.integration.coupon.asking import (
    a_basket,
    a_campaign,
    a_claim,
    an_id,
    expecting,
    redeeming,
    reserving,
    rolling_back,
)
from tests.integration.coupon.running import migrated, running


@pytest.fixture
def lived_in(database_url: str, certificates: Path) -> str:
    """A database with a redeemed, a rolled-back and an issued coupon, the last of its campaign."""

    async def scenario() -> None:
        async with running(migrated(database_url), certificates) as (service,):
            await service.operator.call(a_campaign(quantity=3))
            for steps in ((redeeming,), (redeeming, rolling_back), ()):
                member, checkout = an_id(), an_id()
                coupon = (await service.gateway.call(a_claim(member))).coupon
                if steps:
                    expected = [expecting(coupon.coupon_id, 5_000)]
                    basket = a_basket(20_000)
                    await service.gateway.call(reserving(member, checkout, basket, expected))
                for step in steps:
                    await service.gateway.call(step(member, checkout))

    asyncio.run(scenario())
    return database_url


@pytest.fixture
def session(lived_in: str) -> Iterator[Connection]:
    engine = create_engine(lived_in, application_name="test-session")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


REFUSED = (
    "UPDATE campaigns SET issued = issued + 1",
    "UPDATE campaigns SET issued = issued - 1",
    "UPDATE campaigns SET redeemed = -1",
    "UPDATE campaigns SET quantity = 1000",
    "UPDATE campaigns SET amount_minor = 100000",
    "UPDATE campaigns SET conditions = '{}'",
    "UPDATE coupons SET expires_at = expires_at + interval '1 year'",
    "UPDATE coupons SET member_id = gen_random_uuid()",
    "UPDATE coupons SET state = 'ISSUED' WHERE state = 'REDEEMED'",
    "UPDATE coupons SET ordinal = 0",
    "DELETE FROM coupons",
    "UPDATE reservations SET state = 'RESERVED'",
    "UPDATE reservations SET state = 'CANCELLED' WHERE state = 'REDEEMED'",
    "UPDATE reservations SET discounts = '[]'",
    "DELETE FROM reservations",
    "UPDATE redemptions SET amount_minor = 1",
    "DELETE FROM redemptions",
    "DELETE FROM roll_backs",
    "UPDATE members SET version = version - 1",
    "INSERT INTO coupons SELECT member_id, gen_random_uuid(), campaign_id, ordinal, issued_at, "
    "expires_at, 'ISSUED', NULL FROM coupons",
)

HARMS = (
    "UPDATE campaigns SET reserved = reserved + 1",
    "UPDATE campaigns SET redeemed = redeemed - 1",
    "UPDATE coupons SET state = 'EXPIRED', checkout_id = NULL WHERE state = 'REDEEMED'",
    "UPDATE coupons SET checkout_id = gen_random_uuid() WHERE state = 'REDEEMED'",
    "INSERT INTO redemptions SELECT member_id, coupon_id, gen_random_uuid(), campaign_id, 1, "
    "'CNY', 'ISSUER', gen_random_uuid(), now() FROM coupons WHERE state = 'ISSUED'",
    "INSERT INTO roll_backs SELECT member_id, coupon_id, checkout_id, gen_random_uuid(), true, "
    "now() FROM redemptions ON CONFLICT DO NOTHING",
)


def test_the_database_refuses_what_no_rule_allows(session: Connection) -> None:
    for statement in REFUSED:
        with pytest.raises(IntegrityError), session.begin():
            pytest.fail(f"went through: {session.exec_driver_sql(statement).rowcount} {statement}")


def test_the_books_show_every_harm_done_behind_the_services_back(session: Connection) -> None:
    assert report(tally_campaigns(session)).balanced
    for harm in HARMS:
        session.rollback()
        assert session.exec_driver_sql(harm).rowcount > 0, harm
        harmed = report(tally_campaigns(session))
        assert (harmed.balanced, harmed.campaigns_differing) == (False, 1), harm


def test_the_tables_that_code_knows_are_those_that_migrations_make(database_url: str) -> None:
    engine = create_engine(migrated(database_url), application_name="test-compare")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_versions_are_free_of_gaps_for_each_key(session: Connection) -> None:
    rows = session.exec_driver_sql(
        "SELECT array_agg(version ORDER BY seq) FROM outbox GROUP BY aggregateid"
    ).scalars()
    assert sorted(rows) == [[1], [1], [1, 2, 3], [1, 2, 3, 4]]
