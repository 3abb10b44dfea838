"""Purchase facts: what is kept of a purchase is what it was."""

from __future__ import annotations

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.points.domain.assets import Category, Channel
from services.points.domain.inquiry import RuleFault
from services.points.domain.purchases import Line, Purchase, Season, Stay
from services.points.domain.records import KeptFacts
from services.points.storage.purchase_facts import decode, encode
from tests.unit.points.worlds import PLACE, START, purchase

CODES = st.text(max_size=32)
INSTANTS = st.just(None) | st.just(START)
STAYS = st.builds(
    Stay, st.sampled_from(Channel), CODES, st.integers(1, 366), INSTANTS, st.booleans()
)
LINES = st.lists(
    st.builds(Line, st.sampled_from(Category), st.integers(0, 10**11)), min_size=1, max_size=5
)


@given(
    lines=LINES,
    stay=st.none() | STAYS,
    season=st.sampled_from(Season),
    first=st.booleans(),
    numbers=st.tuples(*[st.integers(0, 10**12)] * 3),
    tags=st.frozensets(CODES, max_size=4),
    faults=st.lists(st.builds(RuleFault, CODES, CODES), max_size=2),
)
def test_what_is_kept_comes_back(
    lines: list[Line],
    stay: Stay | None,
    season: Season,
    first: bool,
    numbers: tuple[int, int, int],
    tags: frozenset[str],
    faults: list[RuleFault],
) -> None:
    facts = purchase(uuid4(), 1, tier="GOLD", tags=tags, birth_month=3).facts
    not_earning, points, stored = numbers
    bought = Purchase(
        uuid4(), PLACE, "CNY", START, facts, tuple(lines), points, stored, stay, season
    )
    kept = decode(encode(KeptFacts(bought, first, not_earning), faults))
    assert kept.lines == tuple(lines)
    assert (kept.not_earning_minor, kept.redeem_points, kept.pay_stored_value_minor) == numbers
    assert (kept.zone, kept.season, kept.first_purchase) == (PLACE.zone.key, season, first)
    assert (kept.facts, kept.stay, kept.faults) == (facts, stay, tuple(faults))


def test_a_stay_of_an_earlier_release_was_the_members_own() -> None:
    stay = Stay(Channel.DIRECT, "BAR", 2)
    bought = purchase(uuid4(), 1, stay=stay)
    stored = encode(KeptFacts(bought, False, 0), [])
    assert b'"DIRECT", "BAR", 2, null]' in stored
    assert decode(stored).stay == stay
