"""Page tokens: ours, of this query, or refused."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel import Refusal
from chassis.rpc.pages import PageTokens, page_size

TOKENS = PageTokens(b"synthetic key of 32 bytes length", "points")


def numbered(number: int) -> UUID:
    return UUID(int=number)


@given(st.uuids(), st.text(max_size=40))
def test_a_token_reads_back_for_its_own_query_alone(last: UUID, query: str) -> None:
    token = TOKENS.issue(query, last)
    assert TOKENS.read(query, token) == last
    with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
        TOKENS.read(query + " ", token)
    with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
        PageTokens(b"another key of at least 32 bytes", "points").read(query, token)
    with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
        PageTokens(b"synthetic key of 32 bytes length", "coupon").read(query, token)


@given(st.binary(max_size=60), st.text(max_size=20))
def test_what_is_sealed_is_unsealed_for_its_own_query_alone(content: bytes, query: str) -> None:
    token = TOKENS.seal(query, content)
    assert TOKENS.unseal(query, token) == content
    for other, wrong in ((query + "x", token), (query, token[1:]), (query, "A" + token)):
        with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
            TOKENS.unseal(other, wrong)


@given(st.binary(max_size=30), st.text(min_size=1, max_size=20))
def test_what_is_sealed_never_passes_for_a_part_of_another_query(moved: bytes, query: str) -> None:
    """The same bytes in a row, cut elsewhere, have another token."""
    whole = TOKENS.seal(query, moved + b"tail")
    part = TOKENS.seal("tail" + query, moved)
    assert whole[-18:] != part[-18:]


def test_a_sealed_token_and_one_of_an_id_are_no_use_in_each_others_place() -> None:
    sealed = TOKENS.seal("query", numbered(1).bytes)
    issued = TOKENS.issue("query", numbered(1))
    for wrong in (sealed, TOKENS.seal("query", b"fifteen bytes..")):
        with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
            TOKENS.read("query", wrong)
    with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
        TOKENS.unseal("query", issued)


@given(st.data())
def test_a_token_with_any_character_changed_or_added_is_refused(data: st.DataObject) -> None:
    token = TOKENS.issue("query", numbered(1))
    at = data.draw(st.integers(0, len(token)))
    added = data.draw(st.text(min_size=1, max_size=3))
    for wrong in (token[:at] + added + token[at:], token[:at] + added + token[at + len(added) :]):
        if wrong != token:
            with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
                TOKENS.read("query", wrong)


@given(st.text(min_size=1, max_size=60))
def test_a_made_up_token_is_refused_whatever_it_holds(token: str) -> None:
    with pytest.raises(Refusal, match="PAGE_TOKEN_INVALID"):
        TOKENS.read("query", token)


def test_the_last_page_has_no_token() -> None:
    rows = [(numbered(at), at) for at in range(3)]
    assert TOKENS.page("query", rows, 3) == ([0, 1, 2], "")
    page, token = TOKENS.page("query", rows, 2)
    assert (page, TOKENS.read("query", token)) == ([0, 1], numbered(1))
    assert TOKENS.read("query", "") is None


def test_a_page_has_50_rows_unless_asked_and_200_at_most() -> None:
    assert [page_size(asked) for asked in (0, 1, 200, 201)] == [50, 1, 200, 200]
