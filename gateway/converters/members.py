"""Members between the edge's contract and the member service's."""

from __future__ import annotations

from datetime import date

from huitouke.coupon.v1 import coupon_pb2
from huitouke.gateway.v1 import checkout_pb2, partner_service_pb2
from huitouke.member.v1 import member_pb2, member_service_pb2
from huitouke.type.v1 import language_pb2, merchant_category_pb2

from chassis.kernel import FieldViolation, Refusal
from gateway.domain import errors
from gateway.domain.notes import Note

_SHAPE = "must be YYYY-MM-DD, or --MM-DD without the year"
_TILL_FIELDS = {"birthday": "birthday", "consents": "marketing_sms"}
_LEAP_YEAR = 2000
_LUNAR_DAYS_MAX = 30


def to_identifier(identifier: checkout_pb2.MemberIdentifier) -> member_pb2.Identifier:
    """Return how the till names the member, as the member service reads it."""
    which = identifier.WhichOneof("identifier")
    assert which is not None, "the contract requires one"
    return member_pb2.Identifier(**{which: getattr(identifier, which)})


def to_enrol(
    request: partner_service_pb2.EnrolMemberRequest, note: Note, request_id: str
) -> member_service_pb2.EnrolRequest:
    """Return an enrolment; only a ROOM merchant is a front desk, whose staff may vouch."""
    at_front_desk = note.category == merchant_category_pb2.MERCHANT_CATEGORY_ROOM
    enrol = member_service_pb2.EnrolRequest(
        request_id=request_id,
        name=request.name,
        title=member_pb2.Title.ValueType(request.title),
        mobile=request.mobile,
        email=request.email,
        language=request.language,
        home_property=note.till.property_code,
        channel=member_pb2.ENROLMENT_CHANNEL_FRONT_DESK
        if at_front_desk
        else member_pb2.ENROLMENT_CHANNEL_MERCHANT,
        referrer_code=request.referrer_code,
        vouched_by_staff=request.vouched_by_staff,
        consents=[
            _marketing(member_pb2.CONTACT_CHANNEL_SMS, granted=request.marketing_sms),
            _marketing(member_pb2.CONTACT_CHANNEL_EMAIL, granted=request.marketing_email),
        ],
        tags=request.tags,
        time_zone=note.time_zone,
    )
    if request.birthday:
        enrol.birthday.CopyFrom(to_birthday(request.birthday, lunar=request.birthday_lunar))
    return enrol


def to_birthday(text: str, *, lunar: bool) -> member_pb2.Birthday:
    """Return a birthday from its text; Refusal INVALID_FIELD for a day that does not exist."""
    year_text, _, rest = text.removeprefix("-").partition("-")
    month, day = (int(part) for part in rest.split("-"))
    year = int(year_text or 0)
    exists = (
        1 <= month <= 12 and 1 <= day <= _LUNAR_DAYS_MAX if lunar else _exists(year, month, day)
    )
    if not exists:
        raise errors.invalid_field("birthday", _SHAPE + ", of a day that exists")
    return member_pb2.Birthday(year=year, month=month, day=day, lunar=lunar)


def to_enrolled(
    response: member_service_pb2.EnrolResponse,
) -> partner_service_pb2.EnrolMemberResponse:
    """Return what the front desk gets; the verification value is empty in a replay."""
    return partner_service_pb2.EnrolMemberResponse(
        member=to_profile(response.member),
        card_number=response.issued_card.number,
        card_verification_value=response.issued_card.verification_value,
    )


def in_the_tills_words(refusal: Refusal) -> Refusal:
    """Return an enrolment's refusal with the fields named as the till sent them."""
    other = refusal.copy()
    other.fields = tuple(
        FieldViolation(_TILL_FIELDS.get(each.field.partition(".")[0], each.field), each.rule)
        for each in refusal.fields
    )
    return other


def to_profile(member: member_pb2.Member) -> partner_service_pb2.MemberProfile:
    """Return what a till may see of a member."""
    return partner_service_pb2.MemberProfile(
        member_id=member.member_id,
        masked_name=member.masked_name,
        masked_mobile=member.masked_mobile,
        tier=member.tier,
        masked_card_number=member.card.masked_number,
        referral_code=member.referral_code,
        language=member.language,
    )


def to_member_coupon(
    coupon: coupon_pb2.Coupon, language: language_pb2.Language.ValueType
) -> partner_service_pb2.MemberCoupon:
    """Return a coupon named in the member's language."""
    in_english = language == language_pb2.LANGUAGE_EN
    return partner_service_pb2.MemberCoupon(
        coupon_id=coupon.coupon_id,
        campaign_code=coupon.campaign_code,
        name=coupon.name_en if in_english else coupon.name_zh,
        expires_at=coupon.expires_at,
    )


def _marketing(
    channel: member_pb2.ContactChannel.ValueType, *, granted: bool
) -> member_pb2.Consent:
    return member_pb2.Consent(
        channel=channel, purpose=member_pb2.CONTACT_PURPOSE_MARKETING, granted=granted
    )


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year or _LEAP_YEAR, month, day)
    except ValueError:
        return False
    return True
