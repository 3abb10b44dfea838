"""What operators and the gateway ask of the service over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from huitouke.notify.v1 import message_pb2
from huitouke.notify.v1 import notify_service_pb2 as pb
from huitouke.notify.v1.notify_service_pb2_grpc import NotifyServiceStub
from huitouke.type.v1 import language_pb2

from chassis.clock import SystemClock
from chassis.kernel import Refusal
from chassis.rpc.client import Channel
from chassis.rpc.health import HealthBoard
from chassis.rpc.tls import ClientTls
from services.notify.main import ALLOW, serving
from tests.integration.notify.facts import enrolled, topped_up
from tests.integration.notify.running import Places, received, settings_of, world_of

SEEDED = 24


class Caller:
    """Calls by the request's type under one certificate."""

    def __init__(self, places: Places, port: int, name: str) -> None:
        folder = places.certificates
        tls = ClientTls(
            ca=(folder / "ca.pem").read_bytes(),
            certificate=(folder / f"{name}.pem").read_bytes(),
            key=(folder / f"{name}.key").read_bytes(),
        )
        self._channel = Channel(f"127.0.0.1:{port}", tls, server="notify")
        self._stub = NotifyServiceStub(self._channel.grpc)

    async def call(self, request: Any) -> Any:
        method = getattr(self._stub, request.DESCRIPTOR.name.removesuffix("Request"))
        return await self._channel.call(method, request, timeout_seconds=20)

    async def reason(self, request: Any) -> str:
        with pytest.raises(Refusal) as refused:
            await self.call(request)
        return refused.value.reason


@asynccontextmanager
async def served(places: Places, *names: str) -> AsyncIterator[list[Caller]]:
    """The service, and callers with these names."""
    settings = settings_of(places)
    async with serving(settings, SystemClock(), HealthBoard()) as server:
        callers = [Caller(places, server.port, name) for name in names]
        yield callers
        for caller in callers:
            await caller._channel.close()


def a_template(**changes: Any) -> message_pb2.Template:
    fields: dict[str, Any] = {
        "code": "TOP_UP",
        "channel": message_pb2.CHANNEL_SMS,
        "language": language_pb2.LANGUAGE_ZH_CN,
        "body": "{{ salutation }}，到账{{ cash_added_minor|money(currency) }}。",
        "variables": ["salutation", "cash_added_minor", "currency"],
    }
    return message_pb2.Template(**(fields | changes))


def test_a_new_version_is_used_for_messages_queued_from_then_on(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world, served(places, "operator") as (operator,):
            guest = await world.enrol(61)
            world.tell(received(guest, topped_up(guest)))
            request = pb.CreateTemplateVersionRequest(request_id="v2", template=a_template())
            made = await operator.call(request)
            assert made.template.version == 2
            assert (await operator.call(request)).template == made.template
            world.tell(received(guest, topped_up(guest)))
            async with world.working():
                rows = await world.until("DELIVERED", "DELIVERED")
            assert [row["template_version"] for row in rows] == [1, 2]
            newest = (await operator.call(pb.ListTemplatesRequest())).templates
            assert len(newest) == SEEDED
            assert made.template in newest
        assert "【回头客】虚构61女士，到账¥1,000.00。" in {
            line["text"] for line in places.smsc.messages()
        }

    asyncio.run(scenario())


def test_versions_made_at_once_count_without_a_gap(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places), served(places, "operator") as (operator,):
            made = await asyncio.gather(
                *(
                    operator.call(
                        pb.CreateTemplateVersionRequest(
                            request_id=f"many-{number}", template=a_template(code="NEW_ONE")
                        )
                    )
                    for number in range(20)
                )
            )
        assert sorted(each.template.version for each in made) == list(range(1, 21))

    asyncio.run(scenario())


def test_a_members_messages_come_in_pages_newest_first(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places) as world, served(places, "gateway", "operator") as callers:
            gateway, operator = callers
            guest = await world.enrol(62)
            world.tell(received(guest, enrolled(guest)), received(guest, topped_up(guest)))
            async with world.working():
                await world.until("DELIVERED", "DELIVERED", "SUPPRESSED")
            pages = [await gateway.call(pb.ListMessagesRequest(member_id=str(guest), page_size=2))]
            token = pages[0].next_page_token
            asked = pb.ListMessagesRequest(member_id=str(guest), page_size=2, page_token=token)
            pages.append(await gateway.call(asked))
            assert [len(page.messages) for page in pages] == [2, 1]
            assert pages[1].next_page_token == ""
            messages = [message for page in pages for message in page.messages]
            ids = [message.message_id for message in messages]
            assert ids == sorted(ids, reverse=True)
            delivered = [each for each in messages if each.HasField("delivered_at")]
            assert {each.state for each in delivered} == {message_pb2.MESSAGE_STATE_DELIVERED}
            assert all(each.sent_at.seconds >= each.queued_at.seconds for each in delivered)
            other = await world.enrol(63)
            foreign = pb.ListMessagesRequest(member_id=str(other), page_token=token)
            assert await gateway.reason(foreign) == "PAGE_TOKEN_INVALID"
            counts = (await operator.call(pb.CountMessagesRequest())).counts
            assert {each.state: each.messages for each in counts} == {
                message_pb2.MESSAGE_STATE_DELIVERED: 2,
                message_pb2.MESSAGE_STATE_SUPPRESSED: 1,
            }

    asyncio.run(scenario())


def test_a_preview_shows_the_text_and_how_an_sms_is_split(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places), served(places, "operator") as (operator,):
            values = {"salutation": "虚构女士", "cash_added_minor": "123450", "currency": "CNY"}
            shown = await operator.call(
                pb.PreviewTemplateRequest(template=a_template(), values=values)
            )
            assert shown.body == "虚构女士，到账¥1,234.50。"
            assert (shown.sms_parts, shown.sms_encoding) == (1, "UCS2")
            mail = a_template(channel=message_pb2.CHANNEL_EMAIL, subject="{{ salutation }}")
            shown = await operator.call(pb.PreviewTemplateRequest(template=mail, values=values))
            assert (shown.subject, shown.sms_parts, shown.sms_encoding) == ("虚构女士", 0, "")

    asyncio.run(scenario())


def test_a_template_that_does_not_hold_together_is_refused_with_its_line(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places), served(places, "operator") as (operator,):
            for body in ("{% if %}", "{{ unknown }}", "{{ salutation.upper() }}"):
                request = pb.CreateTemplateVersionRequest(
                    request_id=f"bad-{body}".encode().hex(), template=a_template(body=body)
                )
                assert await operator.reason(request) == "TEMPLATE_INVALID"
            listed = (await operator.call(pb.ListTemplatesRequest())).templates
            assert {template.version for template in listed} == {1}

    asyncio.run(scenario())


def test_only_operators_do_more_than_list_a_members_messages(places: Places) -> None:
    async def scenario() -> None:
        async with world_of(places), served(places, "gateway", "points") as (gateway, points):
            for method in ALLOW:
                name = method.rpartition("/")[2]
                request = getattr(pb, f"{name}Request")()
                allowed = name == "ListMessages"
                expected = "INVALID_FIELD" if allowed else "CALLER_NOT_ALLOWED"
                assert await gateway.reason(request) == expected, name
                assert await points.reason(request) == "CALLER_NOT_ALLOWED", name

    asyncio.run(scenario())
