"""The vault: how personal data lies in the database, and under which index it is found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from chassis.security import BlindIndex, FieldCipher, KeyRing
from services.member.domain.birthdays import Birthday
from services.member.domain.identifiers import Identifier, IdentifierKind
from services.member.domain.members import Profile


@dataclass(frozen=True, slots=True)
class SealedProfile:
    """A profile's personal fields as columns; None where the guest told nothing."""

    name: bytes
    mobile: bytes
    email: bytes | None
    birthday: bytes | None
    mobile_index: bytes
    email_index: bytes | None


class Vault:
    """Seals and opens the personal columns of `members` and `cards`; pure and thread-safe."""

    def __init__(self, ring: KeyRing, index_key: bytes) -> None:
        self._members = FieldCipher(ring, "members")
        self._cards = FieldCipher(ring, "cards")
        self._mobiles = BlindIndex(index_key, "members.mobile")
        self._emails = BlindIndex(index_key, "members.email")
        self._numbers = BlindIndex(index_key, "cards.number")
        self._of_kind: Mapping[IdentifierKind, BlindIndex] = {
            IdentifierKind.MOBILE: self._mobiles,
            IdentifierKind.EMAIL: self._emails,
            IdentifierKind.CARD_NUMBER: self._numbers,
        }

    def seal_profile(self, member_id: UUID, profile: Profile) -> SealedProfile:
        """Return the personal columns of a member's row."""
        seal, birthday = self._members.seal, profile.birthday
        return SealedProfile(
            name=seal("name", member_id, profile.name),
            mobile=seal("mobile", member_id, profile.mobile),
            email=seal("email", member_id, profile.email) if profile.email else None,
            birthday=seal("birthday", member_id, _as_text(birthday)) if birthday else None,
            mobile_index=self._mobiles.of(profile.mobile),
            email_index=self._emails.of(profile.email) if profile.email else None,
        )

    def name(self, member_id: UUID, sealed: bytes) -> str:
        return self._members.open("name", member_id, sealed)

    def mobile(self, member_id: UUID, sealed: bytes) -> str:
        return self._members.open("mobile", member_id, sealed)

    def email(self, member_id: UUID, sealed: bytes | None) -> str:
        return self._members.open("email", member_id, sealed) if sealed else ""

    def birthday(self, member_id: UUID, sealed: bytes | None) -> Birthday | None:
        return _from_text(self._members.open("birthday", member_id, sealed)) if sealed else None

    def seal_number(self, card_id: UUID, number: str) -> bytes:
        return self._cards.seal("number", card_id, number)

    def number(self, card_id: UUID, sealed: bytes) -> str:
        return self._cards.open("number", card_id, sealed)

    def mobile_index(self, mobile: str) -> bytes:
        return self._mobiles.of(mobile)

    def email_index(self, email: str) -> bytes:
        return self._emails.of(email)

    def number_index(self, number: str) -> bytes:
        return self._numbers.of(number)

    def index_of(self, identifier: Identifier) -> bytes:
        """Return what an identifier is found under; not for member ids."""
        return self._of_kind[identifier.kind].of(identifier.value)


def _as_text(birthday: Birthday) -> str:
    calendar = "L" if birthday.lunar else "S"
    return f"{calendar}{birthday.year:04d}{birthday.month:02d}{birthday.day:02d}"


def _from_text(text: str) -> Birthday:
    return Birthday(int(text[1:5]), int(text[5:7]), int(text[7:9]), lunar=text[0] == "L")
