"""What providers do wrong, and what becomes of messages then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from huitouke.member.v1 import member_pb2

from chassis.failpoints import arm_failpoints
from chassis.identifiers import new_id
from chassis.storage.engine import create_engine
from services.notify.domain.messages import Channel, Purpose
from services.notify.domain.plans import Plan
from services.notify.storage import arrivals
from services.notify.storage.arrivals import Arrival
from tests.integration.notify.facts import enrolled, paid, topped_up
from tests.integration.notify.running import Places, World, received, texts, until, world_of


@pytest.fixture
def slow_recording() -> Iterator[None]:
    """What was submitted is recorded only two seconds later."""
    arm_failpoints({"HUITOUKE_FAILPOINTS": "notify.work.after_submit=delay:2"})
    yield
    arm_failpoints({})


@pytest.fixture
def go_on(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """What was submitted is recorded only when this has been called."""
    gate = tmp_path / "gate"
    arm_failpoints({"HUITOUKE_FAILPOINTS": f"notify.work.after_submit=until:{gate}"})
    yield gate.touch
    arm_failpoints({})


def test_a_throttled_message_is_submitted_again_until_it_is_taken(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.smsc.behave(refuse_next=3, refuse_with="ESME_RTHROTTLED")
            guest = await world.enrol(21)
            world.tell(received(guest, paid(guest)))
            async with world.working():
                await world.until("DELIVERED")
        assert len(texts(places.smsc.messages())) == 1

    asyncio.run(scenario())


def test_a_message_refused_for_the_moment_is_tried_again_later(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.smsc.behave(refuse_next=2, refuse_with="ESME_RSYSERR")
            guest = await world.enrol(22)
            world.tell(received(guest, topped_up(guest)))
            async with world.working():
                (row,) = await world.until("DELIVERED")
        assert row["attempts"] == 3
        assert len(texts(places.smsc.messages())) == 1

    asyncio.run(scenario())


def test_a_message_refused_for_good_fails_with_the_providers_reason(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.smsc.behave(refuse="ESME_RINVDSTADR")
            guest = await world.enrol(23)
            world.tell(received(guest, topped_up(guest)))
            async with world.working():
                (row,) = await world.until("FAILED")
            (told,) = world.select("SELECT type FROM outbox")
        assert (row["reason"], row["attempts"]) == ("ESME_RINVDSTADR", 1)
        assert told["type"] == "huitouke.notify.v1.MessageFailed"

    asyncio.run(scenario())


def test_an_undeliverable_message_fails_with_the_receipts_state(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.smsc.behave(receipt="UNDELIV")
            guest = await world.enrol(24)
            world.tell(received(guest, paid(guest)))
            async with world.working():
                (row,) = await world.until("FAILED")
        assert row["reason"] == "UNDELIV"
        assert row["sent_at"] is not None

    asyncio.run(scenario())


def test_a_receipt_that_comes_before_its_submission_is_recorded_is_not_lost(
    places: Places, go_on: Callable[[], None]
) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(25)
            world.tell(received(guest, paid(guest)))
            async with world.working():
                await until(lambda: bool(world.select("SELECT * FROM receipts")), "it waits")
                assert world.states() == ["SUBMITTING"]
                go_on()
                await world.until("DELIVERED")
            assert world.select("SELECT * FROM receipts") == []

    asyncio.run(scenario())


def test_after_a_lost_connection_the_sender_binds_again(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(26)
            async with world.working():
                for amount in range(3):
                    world.tell(received(guest, topped_up(guest)))
                    await world.until(*["DELIVERED"] * (amount + 1))
                    await asyncio.to_thread(places.smsc.disconnect)
        assert len(texts(places.smsc.messages())) == 3

    asyncio.run(scenario())


def test_without_an_answer_a_service_message_is_sent_again_under_the_same_id(
    places: Places,
) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.smsc.behave(silent=True)
            guest = await world.enrol(27)
            world.tell(received(guest, paid(guest)))
            async with world.working(provider_timeout_seconds=0.5):
                await until(lambda: len(places.smsc.messages()) >= 2, "a first submission")
                assert world.states() == ["SUBMITTING"]
                await asyncio.to_thread(places.smsc.behave, silent=False)
                (row,) = await world.until("DELIVERED")
        references = {line["part"]["reference"] for line in places.smsc.messages()}
        assert references == {row["message_id"].int & 0xFF}
        assert row["attempts"] > 1

    asyncio.run(scenario())


def test_without_an_answer_marketing_is_given_up_as_in_doubt(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.smsc.behave(silent=True)
            await _queue_marketing(world, 28)
            async with world.working(provider_timeout_seconds=0.5):
                (row,) = await world.until("FAILED")
        assert (row["reason"], row["attempts"]) == ("IN_DOUBT", 1)
        assert len(places.smsc.messages()) == 1

    asyncio.run(scenario())


def test_a_message_centre_that_is_away_holds_up_no_e_mail(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.smsc.stop()
            guest = await world.enrol(29, email="guest29@example.com")
            world.tell(received(guest, enrolled(guest)))
            async with world.working():
                rows = await world.until("QUEUED", "SENT")
                assert [row["attempts"] for row in rows if row["state"] == "QUEUED"] == [0]
                places.smsc.start()
                await world.until("DELIVERED", "SENT")

    asyncio.run(scenario())


def test_a_mail_relay_that_is_away_holds_up_no_sms(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            places.mail.stop()
            guest = await world.enrol(30, email="guest30@example.com")
            world.tell(received(guest, enrolled(guest)))
            async with world.working():
                await world.until("DELIVERED", "QUEUED")
                places.mail.start()
                await world.until("DELIVERED", "SENT")

    asyncio.run(scenario())


def test_messages_wait_while_the_member_service_is_away(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(31)
            world.tell(received(guest, topped_up(guest)))
            async with world.working(member_target="127.0.0.1:1"):
                await until(lambda: world.rows()[0]["attempts"] > 0, "it was tried")
            assert world.states() == ["QUEUED"]
            async with world.working():
                await world.until("DELIVERED")

    asyncio.run(scenario())


def test_a_member_whom_nobody_knows_is_waited_for_and_then_given_up(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            nobody = new_id()
            world.tell(received(nobody, topped_up(nobody)))
            async with world.working(give_up_hours=0.0003):
                (row,) = await world.until("FAILED")
        assert row["reason"] == "UNKNOWN_MEMBER"
        assert row["attempts"] > 1

    asyncio.run(scenario())


def test_two_senders_share_the_work_and_send_each_message_once(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(32)
            world.tell(*(received(guest, topped_up(guest)) for _ in range(150)))
            async with world.working(send_batch=10), world.working(send_batch=10):
                await world.until(*["DELIVERED"] * 150)
            versions = world.select("SELECT version FROM outbox ORDER BY seq")
        assert len(places.smsc.messages()) == 150
        assert [row["version"] for row in versions] == list(range(1, 301))

    asyncio.run(scenario())


def test_a_round_that_takes_longer_than_its_lease_is_not_taken_over(
    places: Places, slow_recording: None
) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(33)
            world.tell(*(received(guest, topped_up(guest)) for _ in range(5)))
            async with world.working(lease_seconds=1), world.working(lease_seconds=1):
                rows = await world.until(*["DELIVERED"] * 5)
        assert {row["attempts"] for row in rows} == {1}
        assert len(places.smsc.messages()) == 5

    asyncio.run(scenario())


async def _queue_marketing(world: World, number: int) -> None:
    """Queue a message of marketing, which no event asks for yet, to a member who agreed to it."""
    agreed = member_pb2.Consent(
        channel=member_pb2.CONTACT_CHANNEL_SMS,
        purpose=member_pb2.CONTACT_PURPOSE_MARKETING,
        granted=True,
    )
    guest = await world.enrol(number, consents=[agreed])
    values: dict[str, int | str] = {
        "currency": "CNY",
        "cash_added_minor": 1,
        "bonus_added_minor": 0,
    }
    balances: dict[str, int | str] = {
        "points_balance": 0,
        "cash_balance_minor": 1,
        "bonus_balance_minor": 0,
    }
    plan = Plan("TOP_UP", Channel.SMS, Purpose.MARKETING)
    engine = create_engine(world.places.database_url, application_name="test-arrivals")
    with engine.begin() as connection:
        wanted = Arrival(guest, plan, values | balances, new_id(), "a.campaign.v1.Sent", "")
        arrivals.queue(connection, [wanted], datetime.now(UTC))
    engine.dispose()
