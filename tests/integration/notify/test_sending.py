"""From an event to a guest's phone and mailbox, through real providers."""

from __future__ import annotations

import asyncio

from huitouke.member.v1 import member_pb2
from huitouke.points.v1 import entry_pb2
from huitouke.type.v1 import language_pb2

from tests.integration.member.requests import mobile
from tests.integration.notify.facts import (
    coupon_issued,
    enrolled,
    paid,
    points_expiring,
    topped_up,
)
from tests.integration.notify.running import Places, received, texts, world_of


def test_a_new_member_is_welcomed_by_sms_and_by_e_mail(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(1, email="guest1@example.com")
            world.tell(received(guest, enrolled(guest)))
            async with world.working():
                rows = await world.until("DELIVERED", "SENT")
        (sms,) = places.smsc.messages()
        assert sms["destination"] == mobile(1).removeprefix("+")
        assert sms["text"].startswith("【回头客】尊敬的虚构1女士，欢迎加入回头客会员")
        (mail,) = places.mail.messages()
        assert (mail["tls"], mail["recipients"]) == (True, ["guest1@example.com"])
        assert mail["subject"] == "虚构1女士，欢迎加入回头客"
        assert "尊敬的虚构1女士" in mail["text"]
        assert "<p>尊敬的虚构1女士：</p>" in mail["html"]
        sent = next(row for row in rows if row["channel"] == 2)
        assert mail["message_id"].startswith(f"<{sent['message_id']}@")

    asyncio.run(scenario())


def test_a_long_chinese_sms_arrives_in_parts_that_make_one_text(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(2, title=member_pb2.TITLE_MR)
            world.tell(received(guest, paid(guest)))
            async with world.working():
                (row,) = await world.until("DELIVERED")
        lines = places.smsc.messages()
        assert row["parts"] == len(lines) > 1
        assert {line["data_coding"] for line in lines} == {8}
        assert all(len(line["short_message"]) // 2 <= 134 for line in lines)
        assert [line["part"]["number"] for line in lines] == list(range(1, len(lines) + 1))
        assert texts(lines) == [
            "【回头客】尊敬的虚构2先生，您本次消费¥436.00，使用积分1,000，储值支付¥272.73，"
            "赠金支付¥27.27，获得积分398。积分余额0，储值余额¥0.00。如非本人操作，请立即联系我们。"
        ]

    asyncio.run(scenario())


def test_a_guest_who_prefers_english_is_written_to_in_english(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(
                3, name="Invented", language=language_pb2.LANGUAGE_EN, email="g3@example.com"
            )
            world.tell(
                received(guest, enrolled(guest)),
                received(guest, topped_up(guest)),
                received(guest, coupon_issued(guest)),
            )
            async with world.working():
                await world.until("DELIVERED", "DELIVERED", "DELIVERED", "SENT")
        shown = "\n".join(texts(places.smsc.messages()))
        assert "Dear Ms Invented, welcome to Huitouke!" in shown
        assert "CNY 1,000.00 was added to your stored value, with a gift of CNY 100.00." in shown
        assert '"50 off dinner" is now in your account, valid until 1 May 2030.' in shown
        assert places.mail.messages()[0]["subject"] == "Welcome to Huitouke, Ms Invented"

    asyncio.run(scenario())


def test_an_event_that_comes_again_asks_for_nothing_more(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(4)
            event = received(guest, topped_up(guest))
            for _ in range(3):
                world.tell(event, event)
            async with world.working():
                await world.until("DELIVERED")
        assert len(texts(places.smsc.messages())) == 1

    asyncio.run(scenario())


def test_without_an_address_the_e_mail_is_suppressed_and_the_sms_goes_out(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(5)
            world.tell(received(guest, enrolled(guest)))
            async with world.working():
                rows = await world.until("DELIVERED", "SUPPRESSED")
        (suppressed,) = [row for row in rows if row["state"] == "SUPPRESSED"]
        assert (suppressed["channel"], suppressed["reason"]) == (2, "NO_EMAIL")
        assert places.mail.messages() == []

    asyncio.run(scenario())


def test_who_refuses_service_messages_on_a_channel_gets_none_on_it(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            refused = member_pb2.Consent(
                channel=member_pb2.CONTACT_CHANNEL_SMS,
                purpose=member_pb2.CONTACT_PURPOSE_SERVICE,
                granted=False,
            )
            guest = await world.enrol(6, consents=[refused], email="guest6@example.com")
            world.tell(received(guest, enrolled(guest)))
            async with world.working():
                rows = await world.until("SENT", "SUPPRESSED")
        assert {row["reason"] for row in rows} == {"", "NO_CONSENT"}
        assert places.smsc.messages() == []

    asyncio.run(scenario())


def test_a_purchase_that_only_earned_is_not_told(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(7)
            earned = paid(guest, points_redeemed=0, cash_paid_minor=0, bonus_paid_minor=0)
            world.tell(received(guest, earned))
            assert world.rows() == []

    asyncio.run(scenario())


def test_guests_are_warned_of_points_and_of_gift_value_in_their_language(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(9, title=member_pb2.TITLE_MR)
            other = await world.enrol(10, name="Invented", language=language_pb2.LANGUAGE_EN)
            gift = points_expiring(other, asset=entry_pb2.ASSET_BONUS, amount=10_000, days=7)
            warned = received(guest, points_expiring(guest))
            world.tell(warned, received(other, gift), warned)
            async with world.working():
                rows = await world.until("DELIVERED", "DELIVERED")
        assert {row["template_code"] for row in rows} == {"POINTS_EXPIRING"}
        assert sorted(texts(places.smsc.messages()), reverse=True) == [
            "【回头客】尊敬的虚构9先生，您的积分500将于2028年3月31日到期，到期后自动失效。"
            "住宿、餐饮、水疗结账时均可使用，期待再次为您服务。",
            "【回头客】Dear Ms Invented, CNY 100.00 of your gift value will expire after "
            "31 March 2028. You may use it for any stay, meal or spa visit until then. "
            "We look forward to seeing you again.",
        ]

    asyncio.run(scenario())


def test_each_step_is_an_event_with_the_members_next_version(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world:
            guest = await world.enrol(8, email="guest8@example.com")
            world.tell(received(guest, enrolled(guest)), received(guest, topped_up(guest)))
            async with world.working():
                await world.until("DELIVERED", "DELIVERED", "SENT")
            told = world.select("SELECT type, version, aggregateid FROM outbox ORDER BY seq")
        assert [row["version"] for row in told] == [1, 2, 3, 4, 5]
        assert {row["aggregateid"] for row in told} == {guest}
        names = sorted(row["type"].rpartition(".")[2] for row in told)
        assert names == ["MessageDelivered"] * 2 + ["MessageSent"] * 3

    asyncio.run(scenario())
