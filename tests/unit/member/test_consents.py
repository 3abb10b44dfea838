"""Consents at enrolment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from services.member.domain.consents import (
    Consent,
    ContactChannel,
    ContactPurpose,
    consents_at_enrolment,
)

CONSENTS = st.builds(
    Consent, st.sampled_from(ContactChannel), st.sampled_from(ContactPurpose), st.booleans()
)


@given(st.lists(CONSENTS, unique_by=lambda consent: (consent.channel, consent.purpose)))
def test_what_was_said_holds_and_service_is_given_unless_refused(said: list[Consent]) -> None:
    held = consents_at_enrolment(said)
    assert set(said) <= set(held)
    for extra in set(held) - set(said):
        assert extra.purpose is ContactPurpose.SERVICE
        assert extra.granted
    decided = [(consent.channel, consent.purpose) for consent in held]
    assert len(set(decided)) == len(decided)
    assert {(channel, ContactPurpose.SERVICE) for channel in ContactChannel} <= set(decided)


def test_marketing_is_never_implied() -> None:
    purposes = {consent.purpose for consent in consents_at_enrolment([])}
    assert purposes == {ContactPurpose.SERVICE}


def test_deciding_one_thing_twice_is_refused() -> None:
    yes = Consent(ContactChannel.SMS, ContactPurpose.MARKETING, granted=True)
    no = Consent(ContactChannel.SMS, ContactPurpose.MARKETING, granted=False)
    with pytest.raises(Refusal) as refused:
        consents_at_enrolment([yes, no])
    assert refused.value.fields[0].field == "consents"
