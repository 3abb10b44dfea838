"""How guests are addressed, and what may be sent to them."""

import pytest
from huitouke.member.v1 import member_pb2
from huitouke.type.v1 import language_pb2

from services.notify.converters.contacts import recipient
from services.notify.domain.messages import Channel, Purpose
from services.notify.domain.templates import Language

ZH, EN = language_pb2.LANGUAGE_ZH_CN, language_pb2.LANGUAGE_EN
MR, MS, NONE = member_pb2.TITLE_MR, member_pb2.TITLE_MS, member_pb2.TITLE_UNSPECIFIED


@pytest.mark.parametrize(
    ("name", "title", "language", "salutation"),
    [
        ("虚构", MR, ZH, "虚构先生"),
        ("虚构", MS, ZH, "虚构女士"),
        ("虚构", NONE, ZH, "贵宾"),
        ("Invented Person", MR, EN, "Mr Invented Person"),
        ("Invented Person", MS, EN, "Ms Invented Person"),
        ("Invented Person", NONE, EN, "Guest"),
        ("虚构", MS, language_pb2.LANGUAGE_UNSPECIFIED, "虚构女士"),
    ],
)
def test_a_guest_is_addressed_by_title_and_language(
    name: str,
    title: member_pb2.Title.ValueType,
    language: language_pb2.Language.ValueType,
    salutation: str,
) -> None:
    contact = member_pb2.Contact(name=name, title=title, language=language)
    assert recipient(contact).salutation == salutation


def test_without_a_language_it_is_chinese() -> None:
    assert recipient(member_pb2.Contact()).language is Language.ZH_CN


def test_only_a_granted_consent_for_the_channel_and_purpose_counts() -> None:
    given = member_pb2.Consent(
        channel=member_pb2.CONTACT_CHANNEL_SMS,
        purpose=member_pb2.CONTACT_PURPOSE_MARKETING,
        granted=True,
    )
    withdrawn = member_pb2.Consent(
        channel=member_pb2.CONTACT_CHANNEL_EMAIL,
        purpose=member_pb2.CONTACT_PURPOSE_SERVICE,
        granted=False,
    )
    who = recipient(member_pb2.Contact(consents=[given, withdrawn]))
    allowed = {
        (channel, purpose)
        for channel in Channel
        for purpose in Purpose
        if who.consents(channel, purpose)
    }
    assert allowed == {(Channel.SMS, Purpose.MARKETING)}


def test_a_recipient_never_shows_whom_it_is() -> None:
    contact = member_pb2.Contact(name="虚构", mobile="+8619900000001", email="g@example.com")
    assert "虚构" not in repr(recipient(contact))
    assert "199" not in repr(recipient(contact))
