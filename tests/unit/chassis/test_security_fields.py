"""Field encryption: bound to its place, rotated by key id, never the same twice."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.security import FieldCipher, KeyRing, UnreadableFieldError
from chassis.security.fields import key_id_of

KEYS = {f"k{number}": bytes([number]) * 32 for number in (1, 2, 3)}
ROW, OTHER_ROW = UUID(int=1), UUID(int=2)


def cipher(active: str = "k1", *known: str, table: str = "members") -> FieldCipher:
    names = {active, *known}
    return FieldCipher(KeyRing(active, {name: KEYS[name] for name in names}), table)


@given(st.text(), st.uuids(), st.sampled_from(["name", "mobile"]))
def test_what_is_sealed_opens_again_in_its_place(value: str, row: UUID, column: str) -> None:
    assert cipher().open(column, row, cipher().seal(column, row, value)) == value


@given(st.binary())
def test_bytes_open_as_they_were(value: bytes) -> None:
    assert cipher().open_bytes("answer", "row", cipher().seal("answer", "row", value)) == value


@given(st.text(), st.uuids(), st.uuids())
def test_a_value_moved_to_another_row_does_not_open(value: str, row: UUID, other: UUID) -> None:
    sealed = cipher().seal("name", row, value)
    if row != other:
        with pytest.raises(UnreadableFieldError):
            cipher().open("name", other, sealed)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_value_moved_to_another_column_does_not_open(column: str, other: str) -> None:
    sealed = cipher().seal(column, ROW, "x")
    if column != other:
        with pytest.raises(UnreadableFieldError):
            cipher().open(other, ROW, sealed)


def test_a_value_moved_to_another_table_does_not_open() -> None:
    sealed = cipher().seal("name", ROW, "x")
    with pytest.raises(UnreadableFieldError):
        cipher(table="cards").open("name", ROW, sealed)


@given(st.data())
def test_an_altered_value_does_not_open(data: st.DataObject) -> None:
    sealed = bytearray(cipher().seal("name", ROW, "value"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnreadableFieldError):
        cipher().open("name", ROW, bytes(sealed))


@given(st.binary(max_size=40))
def test_garbage_does_not_open(garbage: bytes) -> None:
    with pytest.raises(UnreadableFieldError):
        cipher().open("name", ROW, garbage)


def test_equal_values_are_sealed_differently() -> None:
    assert len({cipher().seal("name", ROW, "x") for _ in range(100)}) == 100


def test_after_a_rotation_old_values_open_and_new_ones_carry_the_new_key() -> None:
    old = cipher("k1").seal("name", ROW, "x")
    rotated = cipher("k2", "k1")
    assert rotated.open("name", ROW, old) == "x"
    assert key_id_of(rotated.seal("name", ROW, "x")) == "k2"


def test_a_replica_that_only_knows_a_key_already_opens_what_it_seals() -> None:
    before_switch, after_switch = cipher("k1", "k2"), cipher("k2", "k1")
    assert before_switch.open("name", ROW, after_switch.seal("name", ROW, "x")) == "x"


def test_without_its_key_a_value_stays_shut() -> None:
    sealed = cipher("k1").seal("name", OTHER_ROW, "x")
    with pytest.raises(UnreadableFieldError, match="a key of this ring"):
        cipher("k3").open("name", OTHER_ROW, sealed)


def test_an_unreadable_value_is_not_quoted() -> None:
    sealed = cipher().seal("name", ROW, "secret")
    with pytest.raises(UnreadableFieldError) as refused:
        cipher().open("name", OTHER_ROW, sealed)
    assert "secret" not in str(refused.value)
    assert str(ROW) not in str(refused.value)
