"""The day itself: every step is a call that a till makes."""

from collections.abc import Callable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as partner
from huitouke.type.v1.booking_channel_pb2 import BookingChannel

from cli.amounts import yuan
from cli.clients import Refused, call, new_request_id
from cli.demo.guests import Guest, Member, forged
from cli.demo.stage import Stage, Till
from cli.demo.story import Story

TOP_UP_FEN = 100_000
GIFT_FEN = 10_000
ROOM_FEN = 128_800
LUNCH_FEN = 15_800
HELD_FEN = 30_000
DRINKS_FEN = 17_600


class Day:
    """One day; `stub` is a PartnerService stub, `story` what is told of it."""

    def __init__(self, stub: Any, stage: Stage, story: Story) -> None:
        self._stub = stub
        self._stage = stage
        self._story = story

    def run(self, guests: list[Guest]) -> list[Member]:
        """Live through the day and answer the members it made.

        Raises:
            Refused: A call that must succeed was refused.
        """
        members = self._morning(guests)
        zhang, wang, _ = members
        self._top_up(zhang)
        self._stay(zhang)
        coupon_id = self._coupon(zhang)
        self._forgery(zhang)
        self._dinner(zhang, coupon_id)
        self._tab(zhang)
        self._lunch(wang)
        self._activity(zhang)
        return members

    def _call(self, till: Till, method: str, request: Any) -> Any:
        return call(getattr(self._stub, method), request, till.metadata)

    def _refused(self, reason: str, attempt: Callable[[], object]) -> None:
        """Make a call that must be refused, and tell its reason."""
        try:
            attempt()
        except Refused as refused:
            self._story.refusal(refused)
            self._story.expect(refused.reason == reason, f"it should have answered {reason}")
        else:
            self._story.expect(False, f"nothing refused what should have answered {reason}")

    def _morning(self, guests: list[Guest]) -> list[Member]:
        self._story.scene("Morning: guests enrol at the front desk")
        members = []
        for guest in guests:
            answer = self._call(
                self._stage.front_desk,
                "EnrolMember",
                partner.EnrolMemberRequest(
                    request_id=new_request_id("demo/enrol"),
                    name=guest.name,
                    title=guest.title,
                    mobile=guest.mobile,
                    email=guest.email,
                    language=guest.language,
                    vouched_by_staff="A-17",
                ),
            )
            profile = answer.member
            members.append(Member(guest, profile.member_id, answer.card_number))
            self._story.say(
                f"{profile.masked_name}  {profile.masked_mobile}  {profile.tier}  "
                f"card {profile.masked_card_number}"
            )
        self._story.say("The same mobile a second time:")
        again = partner.EnrolMemberRequest(
            request_id=new_request_id("demo/enrol"),
            name=guests[0].name,
            mobile=guests[0].mobile,
            vouched_by_staff="A-17",
        )
        self._refused(
            "ALREADY_ENROLLED", lambda: self._call(self._stage.front_desk, "EnrolMember", again)
        )
        return members

    def _top_up(self, member: Member) -> None:
        self._story.scene("充1000送100: a guest tops up stored value")
        answer = self._call(
            self._stage.front_desk,
            "TopUp",
            partner.TopUpRequest(
                request_id=new_request_id("demo/top-up"),
                member=member.by_mobile,
                amount_minor=TOP_UP_FEN,
                currency="CNY",
                tender=checkout_pb2.TENDER_KIND_WECHAT_PAY,
            ),
        )
        self._story.say(
            f"paid in {yuan(answer.cash_added_minor)}, gift {yuan(answer.bonus_added_minor)}"
        )
        self._story.expect(answer.bonus_added_minor == GIFT_FEN, "the gift should be 100.00")
        self._story.balances(answer.balances)

    def _stay(self, member: Member) -> None:
        self._story.scene("Two nights, booked with the hotel, earn points")
        purchase = checkout_pb2.Purchase(
            member=member.by_card,
            lines=[_line(ROOM_FEN, 2)],
            currency="CNY",
            stay=checkout_pb2.Stay(channel=BookingChannel.BOOKING_CHANNEL_DIRECT, nights=2),
            tenders=[_tender(checkout_pb2.TENDER_KIND_BANK_CARD, ROOM_FEN)],
        )
        receipt = self._checkout(self._stage.front_desk, purchase).receipt
        self._story.receipt(receipt)
        self._story.expect(receipt.points_earned == ROOM_FEN // 100, "1 CNY should earn 1 point")

    def _coupon(self, member: Member) -> str:
        self._story.scene("A coupon is claimed; a second one is over the limit")

        def claim() -> Any:
            return self._call(
                self._stage.restaurant,
                "ClaimCoupon",
                partner.ClaimCouponRequest(
                    request_id=new_request_id("demo/claim"),
                    member=member.by_card,
                    campaign_code=self._stage.campaign_code,
                ),
            )

        coupon = claim().coupon
        self._story.say(f"{coupon.name} ({coupon.campaign_code})")
        self._refused("MEMBER_LIMIT", claim)
        return str(coupon.coupon_id)

    def _forgery(self, member: Member) -> None:
        self._story.scene("A forged card: its check digit is right, but it was never issued")
        identifier = checkout_pb2.MemberIdentifier(card_number=forged(member.card_number))
        self._refused(
            "CARD_UNKNOWN",
            lambda: self._call(
                self._stage.restaurant,
                "FindMember",
                partner.FindMemberRequest(member=identifier),
            ),
        )

    def _dinner(self, member: Member, coupon_id: str) -> None:
        self._story.scene("Dinner is paid with a coupon, points, stored value and WeChat")
        purchase = checkout_pb2.Purchase(
            member=member.by_card,
            lines=[_line(30_600, 2), _line(18_000, 1)],
            currency="CNY",
            coupon_ids=[coupon_id],
            redeem_points=1_000,
            pay_stored_value_minor=30_000,
            tenders=[_tender(checkout_pb2.TENDER_KIND_WECHAT_PAY, 12_600)],
        )
        quoted = self._call(
            self._stage.restaurant,
            "QuoteCheckout",
            partner.QuoteCheckoutRequest(purchase=purchase),
        ).receipt
        request = partner.CheckoutRequest(
            request_id=new_request_id("demo/checkout"), purchase=purchase
        )
        record = self._call(self._stage.restaurant, "Checkout", request).checkout
        self._story.receipt(record.receipt)
        self._story.expect(
            quoted.points_earned == record.receipt.points_earned
            and quoted.to_pay_minor == record.receipt.to_pay_minor == 12_600,
            "the quote and the receipt should agree",
        )
        repeated = self._call(self._stage.restaurant, "Checkout", request).checkout
        self._story.expect(repeated == record, "a repeated request should get the first answer")
        self._story.say("The till, unsure, sends it again: the same answer, nothing twice.")

    def _tab(self, member: Member) -> None:
        self._story.scene("A tab at the bar: 300.00 are set aside, 176.00 are drunk")
        before = self._balances(member)
        opened = self._call(
            self._stage.restaurant,
            "OpenCheckout",
            partner.OpenCheckoutRequest(
                request_id=new_request_id("demo/open"),
                member=member.by_card,
                currency="CNY",
                hold_stored_value_minor=HELD_FEN,
            ),
        ).checkout
        held = opened.held.cash_minor + opened.held.bonus_minor
        self._story.say(f"{yuan(held)} of stored value held until {_hour(opened.commit_by)} UTC")
        commit = partner.CommitCheckoutRequest(
            request_id=new_request_id("demo/commit"),
            checkout_id=opened.checkout_id,
            lines=[_line(DRINKS_FEN, 4)],
            pay_stored_value_minor=DRINKS_FEN,
        )
        record = self._call(self._stage.restaurant, "CommitCheckout", commit).checkout
        self._story.receipt(record.receipt)
        after = record.receipt.balances
        spent = _stored(before) - _stored(after)
        self._story.expect(held == HELD_FEN and spent == DRINKS_FEN, "176.00 should be spent")
        self._story.expect(not after.cash_held_minor, "the rest of the hold should be given back")

    def _lunch(self, member: Member) -> None:
        self._story.scene("Lunch is paid, then refunded wholly")
        self._call(
            self._stage.front_desk,
            "TopUp",
            partner.TopUpRequest(
                request_id=new_request_id("demo/top-up"),
                member=member.by_mobile,
                amount_minor=TOP_UP_FEN,
                currency="CNY",
                tender=checkout_pb2.TENDER_KIND_ALIPAY,
            ),
        )
        before = self._balances(member)
        purchase = checkout_pb2.Purchase(
            member=member.by_mobile,
            lines=[_line(LUNCH_FEN, 1)],
            currency="CNY",
            pay_stored_value_minor=LUNCH_FEN,
        )
        record = self._checkout(self._stage.restaurant, purchase)
        self._story.receipt(record.receipt)
        refund = self._call(
            self._stage.restaurant,
            "RefundCheckout",
            partner.RefundCheckoutRequest(
                request_id=new_request_id("demo/refund"), checkout_id=record.checkout_id
            ),
        ).refund
        restored = refund.cash_restored_minor + refund.bonus_restored_minor
        self._story.say(
            f"refunded {yuan(restored)} of stored value; "
            f"{refund.points_taken_back:,} earned points taken back"
        )
        after = self._balances(member)
        self._story.balances(after)
        self._story.expect(before == after, "a whole refund should leave what was there before")

    def _activity(self, member: Member) -> None:
        self._story.scene("The guest's timeline, at every property at once")
        answer = self._call(
            self._stage.front_desk,
            "ListActivity",
            partner.ListActivityRequest(member=member.by_mobile),
        )
        for activity in answer.activities:
            kind = partner.ActivityKind.Name(activity.kind).removeprefix("ACTIVITY_KIND_")
            stored = activity.cash_minor + activity.bonus_minor
            self._story.say_in_one_line(
                f"{activity.occurred_at.ToDatetime():%H:%M:%S}  {kind:<14} "
                f"{activity.points:>+7,} points {yuan(stored):>10} stored value  "
                f"{activity.merchant_name or activity.campaign_code}"
            )

    def _balances(self, member: Member) -> checkout_pb2.MemberBalances:
        request = partner.GetBalancesRequest(member=member.by_mobile)
        answer = self._call(self._stage.front_desk, "GetBalances", request)
        balances: checkout_pb2.MemberBalances = answer.balances
        return balances

    def _checkout(self, till: Till, purchase: checkout_pb2.Purchase) -> checkout_pb2.CheckoutRecord:
        request = partner.CheckoutRequest(
            request_id=new_request_id("demo/checkout"), purchase=purchase
        )
        record: checkout_pb2.CheckoutRecord = self._call(till, "Checkout", request).checkout
        return record


def _stored(balances: checkout_pb2.MemberBalances) -> int:
    return balances.cash_minor + balances.bonus_minor


def _hour(instant: Timestamp) -> str:
    return f"{instant.ToDatetime():%H:%M}"


def _line(amount_fen: int, quantity: int) -> checkout_pb2.PurchaseLine:
    return checkout_pb2.PurchaseLine(quantity=quantity, amount_minor=amount_fen)


def _tender(kind: "checkout_pb2.TenderKind.ValueType", amount_fen: int) -> checkout_pb2.Tender:
    return checkout_pb2.Tender(kind=kind, amount_minor=amount_fen)
