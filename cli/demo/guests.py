"""The day's guests: invented names, numbers of a range that belongs to nobody here."""

import secrets
from dataclasses import dataclass

from huitouke.gateway.v1 import checkout_pb2
from huitouke.gateway.v1 import partner_service_pb2 as partner
from huitouke.type.v1 import language_pb2


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest as the front desk's form has them."""

    name: str
    title: "partner.MemberTitle.ValueType"
    mobile: str
    email: str
    language: "language_pb2.Language.ValueType"


@dataclass(frozen=True, slots=True)
class Member:
    """A guest once enrolled."""

    guest: Guest
    member_id: str
    card_number: str

    @property
    def by_card(self) -> checkout_pb2.MemberIdentifier:
        return checkout_pb2.MemberIdentifier(card_number=self.card_number)

    @property
    def by_mobile(self) -> checkout_pb2.MemberIdentifier:
        return checkout_pb2.MemberIdentifier(mobile=self.guest.mobile)


def guests_of_the_day() -> list[Guest]:
    """Three guests with numbers and mailboxes not used before."""
    token = secrets.randbelow(10**7)
    zh, en = language_pb2.LANGUAGE_ZH_CN, language_pb2.LANGUAGE_EN
    mr, ms = partner.MEMBER_TITLE_MR, partner.MEMBER_TITLE_MS
    return [
        Guest("张伟", mr, f"+86199{token:07d}1", f"guest{token}a@example.com", zh),
        Guest("王芳", ms, f"+86199{token:07d}2", "", zh),
        Guest("Alice Smith", ms, f"+86199{token:07d}3", f"guest{token}c@example.com", en),
    ]


def forged(card_number: str) -> str:
    """A number whose check digit is right and that was never issued.

    Two digits of a real one change places where their weights in Luhn's sum are equal.
    """
    digits = [int(digit) for digit in card_number]
    for first, second in ((5, 7), (7, 9), (9, 11), (5, 9), (5, 11), (7, 11)):
        if digits[first] != digits[second]:
            digits[first], digits[second] = digits[second], digits[first]
            return "".join(str(digit) for digit in digits)
    digits[5], digits[7] = (digits[5] + 1) % 10, (digits[7] - 1) % 10
    return "".join(str(digit) for digit in digits)
