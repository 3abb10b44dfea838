"""The vault: what goes in comes out, in its own row only, and is found by one index alone."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.security import UnreadableFieldError, development_key_ring
from services.member.domain.birthdays import Birthday
from services.member.domain.identifiers import Identifier, IdentifierKind
from services.member.domain.members import Language, Profile, Title
from services.member.storage.vault import SealedProfile, Vault

VAULT = Vault(development_key_ring("member"), bytes(range(32)))
ROW, OTHER = UUID(int=1), UUID(int=2)
BIRTHDAYS = st.builds(
    Birthday, st.integers(0, 2100), st.integers(1, 12), st.integers(1, 31), st.booleans()
)


def profile(name: str = "虚构", email: str = "", birthday: Birthday | None = None) -> Profile:
    return Profile(
        name=name,
        mobile="+8619900000001",
        email=email,
        birthday=birthday,
        title=Title.MR,
        language=Language.EN,
        home_property="SH01",
        time_zone="Asia/Shanghai",
    )


def opened(row: UUID, sealed: SealedProfile) -> tuple[str, str, str, Birthday | None]:
    return (
        VAULT.name(row, sealed.name),
        VAULT.mobile(row, sealed.mobile),
        VAULT.email(row, sealed.email),
        VAULT.birthday(row, sealed.birthday),
    )


@given(st.text(min_size=1), st.text(), st.none() | BIRTHDAYS, st.uuids())
def test_a_profile_comes_out_as_it_went_in(
    name: str, email: str, birthday: Birthday | None, row: UUID
) -> None:
    told = profile(name, email, birthday)
    sealed = VAULT.seal_profile(row, told)
    assert opened(row, sealed) == (name, told.mobile, email, birthday)
    assert (sealed.email is None) == (sealed.email_index is None) == (not email)


def test_a_profile_does_not_open_in_another_members_row() -> None:
    with pytest.raises(UnreadableFieldError):
        opened(OTHER, VAULT.seal_profile(ROW, profile()))


def test_a_name_does_not_open_as_a_mobile() -> None:
    with pytest.raises(UnreadableFieldError):
        VAULT.mobile(ROW, VAULT.seal_profile(ROW, profile()).name)


def test_a_card_number_opens_on_its_card_only() -> None:
    sealed = VAULT.seal_number(ROW, "8866000000000000")
    assert VAULT.number(ROW, sealed) == "8866000000000000"
    with pytest.raises(UnreadableFieldError):
        VAULT.number(OTHER, sealed)


def test_an_identifier_is_found_under_what_its_row_was_saved_with() -> None:
    sealed = VAULT.seal_profile(ROW, profile(email="guest@example.com"))
    mobile = Identifier(IdentifierKind.MOBILE, "+8619900000001")
    email = Identifier(IdentifierKind.EMAIL, "guest@example.com")
    assert VAULT.index_of(mobile) == sealed.mobile_index == VAULT.mobile_index(mobile.value)
    assert VAULT.index_of(email) == sealed.email_index == VAULT.email_index(email.value)


def test_one_text_has_another_index_in_every_column() -> None:
    kinds = (IdentifierKind.MOBILE, IdentifierKind.EMAIL, IdentifierKind.CARD_NUMBER)
    assert len({VAULT.index_of(Identifier(kind, "8866000000000000")) for kind in kinds}) == 3
