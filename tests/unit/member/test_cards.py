"""A card's life, transition by transition."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from chassis.kernel import Refusal
from services.member.domain.cards import CURRENT, TRANSITIONS, Card, CardState, refusal_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ALLOWED = [
    ("ACTIVE", "FROZEN"),
    ("FROZEN", "ACTIVE"),
    ("ACTIVE", "REPLACED"),
    ("FROZEN", "REPLACED"),
    ("LOST", "REPLACED"),
    ("ACTIVE", "LOST"),
    ("FROZEN", "LOST"),
    ("ACTIVE", "CLOSED"),
    ("FROZEN", "CLOSED"),
    ("LOST", "CLOSED"),
]


def card(state: CardState) -> Card:
    return Card(UUID(int=1), UUID(int=2), "8866000000000000", state, NOW, NOW)


@pytest.mark.parametrize("before", CardState)
@pytest.mark.parametrize("after", CardState)
def test_a_card_moves_along_its_life_and_in_no_other_way(
    before: CardState, after: CardState
) -> None:
    moved = card(before)
    if (before, after) in ALLOWED:
        assert moved.move(after, LATER) is before
        assert (moved.state, moved.changed_at) == (after, LATER)
    else:
        with pytest.raises(Refusal) as refused:
            moved.move(after, LATER)
        assert refused.value.reason == "CARD_STATE"
        assert refused.value.metadata == {"state": before}
        assert (moved.state, moved.changed_at) == (before, NOW)


def test_every_state_has_its_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(CardState)


@pytest.mark.parametrize("state", sorted(set(CardState) - {CardState.ACTIVE}))
def test_a_card_that_is_not_active_says_so(state: CardState) -> None:
    refusal = refusal_of(state)
    assert refusal is not None
    assert refusal.reason == f"CARD_{state}"


def test_an_active_card_identifies_its_member() -> None:
    assert refusal_of(CardState.ACTIVE) is None


def test_ended_states_lead_nowhere() -> None:
    assert all(not TRANSITIONS[state] for state in set(CardState) - CURRENT)


def test_a_card_never_shows_its_number() -> None:
    assert "8866" not in repr(card(CardState.ACTIVE))
