"""`huitouke demo`: the day, what the guests and a subscriber received, and the books."""

import secrets
from collections import Counter

import grpc
from huitouke.gateway.v1.partner_service_pb2_grpc import PartnerServiceStub
from rich.console import Console
from rich.markup import escape

from cli.books import books_table, check_books
from cli.clients import partner_credentials
from cli.demo.day import Day
from cli.demo.evidence import Subscriber, delivery, wait_for_messages
from cli.demo.guests import Member, guests_of_the_day
from cli.demo.stage import set_stage
from cli.demo.story import Story
from cli.endpoints import Endpoints
from cli.events import decode, figures, load_contracts

EVENTS_OF_THE_DAY = Counter(
    {
        "huitouke.member.v1.MemberEnrolled": 3,
        "huitouke.points.v1.StoredValueToppedUp": 2,
        "huitouke.points.v1.CheckoutPosted": 4,
        "huitouke.points.v1.HoldAuthorized": 1,
        "huitouke.points.v1.CheckoutReversed": 1,
        "huitouke.coupon.v1.CampaignCreated": 1,
        "huitouke.coupon.v1.CouponIssued": 1,
        "huitouke.coupon.v1.CouponsReserved": 1,
        "huitouke.coupon.v1.CouponsRedeemed": 1,
        "huitouke.gateway.v1.CheckoutOpened": 1,
        "huitouke.gateway.v1.CheckoutCommitted": 4,
        "huitouke.gateway.v1.CheckoutRefunded": 1,
    }
)
"""What the day must cause, each exactly once after de-duplication; messages come on top."""


def demo(endpoints: Endpoints, console: Console) -> bool:
    """Tell the day against a running suite. True when everything was as it must be.

    Raises:
        Refused: A call that must succeed was refused, or nothing listens there.
    """
    story = Story(console)
    load_contracts()
    subscriber = Subscriber(endpoints)
    try:
        story.scene("Two merchants get their keys")
        stage = set_stage(endpoints, secrets.token_hex(3).upper())
        for till in (stage.front_desk, stage.restaurant):
            story.say(f"{till.merchant_name}: API key (shown once, kept as a hash), outlet, till")
        with grpc.secure_channel(endpoints.partner, partner_credentials(endpoints)) as channel:
            members = Day(PartnerServiceStub(channel), stage, story).run(guests_of_the_day())
        _messages(endpoints, story, members)
        _events(story, subscriber)
    finally:
        subscriber.stop()
    _books(endpoints, story)
    return _verdict(story)


def _messages(endpoints: Endpoints, story: Story, members: list[Member]) -> None:
    story.scene("What the guests received, as the sinks saw it")
    zhang, wang, alice = members
    for member, wanted in ((zhang, 5), (wang, 4), (alice, 1)):
        parts = wait_for_messages(endpoints.sms_spool, member.guest.mobile, wanted)
        story.expect(len(parts) >= wanted, f"{member.guest.name} should have {wanted} SMS")
        for part in parts:
            story.say(f"SMS   {escape(str(part['destination']))}  {escape(str(part['text']))}")
        if member.guest.email:
            mails = wait_for_messages(endpoints.mail_spool, member.guest.email, 1)
            story.expect(bool(mails), f"{member.guest.name} should have an e-mail")
            for mail in mails:
                story.say(f"mail  {member.guest.email}  {escape(str(mail['subject']))}")


def _events(story: Story, subscriber: Subscriber) -> None:
    story.scene("The day's events, as a subscriber read them from Kafka")
    complete = subscriber.wait_for(EVENTS_OF_THE_DAY)
    story.expect(complete, "every event of the day should have come")
    seen: set[str] = set()
    counts: Counter[str] = Counter()
    for event in list(subscriber.events):
        if str(event.id) in seen:
            continue
        seen.add(str(event.id))
        counts[event.type] += 1
        decoded = decode(event.type, event.payload)
        text = figures(decoded) if decoded is not None else "not decodable"
        story.expect(decoded is not None, f"{event.type} should decode")
        name = event.type.removeprefix("huitouke.")
        whose = str(event.key)[-4:]
        story.say_in_one_line(f"…{whose} v{event.version:<2} [bold]{name}[/] {escape(text)}")
    for event_type, wanted in EVENTS_OF_THE_DAY.items():
        story.expect(
            counts[event_type] == wanted, f"{event_type}: {counts[event_type]}, not {wanted}"
        )
    came = delivery(list(subscriber.events))
    story.say(
        f"{came.received} received, {came.distinct} after de-duplication, versions without gap"
    )
    for gap in came.gaps:
        story.expect(False, f"versions have a gap: {gap}")


def _books(endpoints: Endpoints, story: Story) -> None:
    story.scene("Closing time")
    checks = check_books(endpoints)
    story.console.print(books_table(checks))
    for check in checks:
        if not check.holds:
            story.faults.append(f"the books: {check.what}")


def _verdict(story: Story) -> bool:
    if not story.faults:
        story.console.print("\n[bold green]The day went as it must, and the books balance.[/]")
        return True
    story.console.print(f"\n[bold red]{len(story.faults)} things were not as they must be:[/]")
    for fault in story.faults:
        story.console.print(f"  {fault}", markup=False)
    return False
