"""Guests at a till: enrolled, found, their timeline."""

from __future__ import annotations

from typing import Any

from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2

from tests.integration.gateway.till import Operator, Till, new_mobile, purchase, refusal_of


def find(till: Till, **identifier: str) -> Any:
    request = partner_service_pb2.FindMemberRequest(
        member=checkout_pb2.MemberIdentifier(**identifier)
    )
    return till.call("FindMember", request).response.member


def activity(till: Till, member_id: str, page_size: int, token: str = "") -> Any:
    request = partner_service_pb2.ListActivityRequest(
        member=checkout_pb2.MemberIdentifier(member_id=member_id),
        page_size=page_size,
        page_token=token,
    )
    return till.call("ListActivity", request).response


def test_a_guest_is_found_by_id_card_and_mobile_masked(front_desk: Till, restaurant: Till) -> None:
    mobile = new_mobile()
    enrolled = front_desk.enrol(mobile, birthday="1990-02-28", title=1, marketing_sms=True)
    by_id = find(restaurant, member_id=enrolled.member.member_id)
    assert by_id == enrolled.member
    assert find(restaurant, card_number=enrolled.card_number) == by_id
    assert find(restaurant, mobile=mobile) == by_id
    assert mobile[-8:-4] not in by_id.masked_mobile
    assert enrolled.card_number[4:12] not in by_id.masked_card_number


def test_a_forged_card_number_is_refused_with_its_own_reason(
    front_desk: Till, restaurant: Till
) -> None:
    card = front_desk.enrol().card_number
    forged = card[:-1] + str((int(card[-1]) + 1) % 10)
    assert refusal_of(find, restaurant, card_number=forged).reason == "CARD_UNKNOWN"
    bought = purchase("", 1_000)
    bought.member.card_number = forged
    assert refusal_of(restaurant.checkout, bought).reason == "CARD_UNKNOWN"


def test_only_a_front_desk_may_vouch_for_a_mobile(restaurant: Till) -> None:
    assert refusal_of(restaurant.enrol).reason == "MOBILE_NOT_PROVEN"


def test_a_birthday_that_does_not_exist_names_the_tills_field(front_desk: Till) -> None:
    for birthday in ("2026-02-30", "--13-01"):
        refused = refusal_of(front_desk.enrol, birthday=birthday)
        assert refused.fields[0].field == "birthday"
    assert refusal_of(front_desk.enrol, birthday="tomorrow").fields[0].field == "birthday"


def test_the_timeline_holds_everything_newest_first_page_by_page(
    operator: Operator, front_desk: Till, restaurant: Till
) -> None:
    member_id = front_desk.member_id()
    front_desk.top_up(member_id, 100_000)
    coupon = restaurant.claim(member_id, operator.campaign())
    bought = restaurant.checkout(purchase(member_id, 20_000, coupons=[coupon])).response.checkout
    restaurant.checkout(purchase(member_id, 10_000, stored_value_minor=5_000))
    restaurant.refund(bought.checkout_id)
    whole = list(activity(restaurant, member_id, 50).activities)
    kinds = [partner_service_pb2.ActivityKind.Name(each.kind) for each in whole]
    assert kinds == [
        "ACTIVITY_KIND_REFUND",
        "ACTIVITY_KIND_PURCHASE",
        "ACTIVITY_KIND_PURCHASE",
        "ACTIVITY_KIND_COUPON_ISSUED",
        "ACTIVITY_KIND_TOP_UP",
    ]
    assert whole[2].gross_minor == 20_000
    assert whole[2].merchant_name == restaurant.merchant.name
    assert whole[3].reference_id == coupon
    paged, token = [], ""
    while True:
        page = activity(restaurant, member_id, 2, token)
        assert len(page.activities) <= 2
        paged += page.activities
        token = page.next_page_token
        if not token:
            break
    assert paged == whole


def test_a_page_token_fits_its_own_query_only(front_desk: Till, restaurant: Till) -> None:
    member_id, other = front_desk.member_id(), front_desk.member_id()
    front_desk.top_up(member_id, 1_000)
    front_desk.top_up(member_id, 1_000)
    token = activity(restaurant, member_id, 1).next_page_token
    assert refusal_of(activity, restaurant, other, 1, token).reason == "PAGE_TOKEN_INVALID"
    assert refusal_of(activity, restaurant, member_id, 1, "x").reason == "PAGE_TOKEN_INVALID"
