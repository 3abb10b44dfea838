"""Set-based statements: what goes in as columns comes out as rows, for every type and size."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from chassis.identifiers import new_id
from chassis.storage import sets
from chassis.storage.engine import create_engine

_THINGS = """
CREATE TABLE things (
    id uuid PRIMARY KEY, place bigint GENERATED ALWAYS AS IDENTITY, small smallint,
    number integer, big bigint, exact numeric, yes boolean, words text, raw bytea,
    moment timestamptz, day date, document jsonb
)
"""
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
MOMENTS = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**15), 2**15 - 1),
        st.none() | st.integers(-(2**31), 2**31 - 1),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=4),
        st.none() | st.booleans(),
        st.none() | TEXTS,
        st.none() | st.binary(max_size=20),
        st.none() | MOMENTS,
        st.none() | st.dates(min_value=date(1, 1, 1)),
    ),
    max_size=8,
)
KINDS = {
    "small": "smallint",
    "number": "integer",
    "big": "bigint",
    "exact": "numeric",
    "yes": "boolean",
    "words": "text",
    "raw": "bytea",
    "moment": "timestamptz",
    "day": "date",
}


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(database_url, application_name="sets", index_plans=True)
    with engine.connect() as connection:
        connection.execute(sa.text(_THINGS))
        yield connection
    engine.dispose()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
def test_any_values_come_back_as_they_went_in(
    connection: Connection, rows: list[tuple[object, ...]]
) -> None:
    ids = sorted(new_id() for _ in rows)
    columns: dict[str, tuple[str, list[object]]] = {"id": ("uuid", list(ids))}
    for at, (name, kind) in enumerate(KINDS.items()):
        columns[name] = (kind, [row[at] for row in rows])
    sets.insert_columns(connection, "things", columns)
    found = sets.select_by_keys(
        connection, "things", {"id": ("uuid", ids)}, select=tuple(KINDS), order_by="t.place"
    )
    assert found == rows


def test_rows_are_numbered_in_the_order_they_are_given(connection: Connection) -> None:
    ids = [new_id() for _ in range(300)][::-1]
    places = sets.insert_columns(
        connection, "things", {"id": ("uuid", ids)}, returning=("place", "id")
    )
    assert [row[1] for row in sorted(places)] == ids


def test_an_update_sets_each_row_to_its_own_values_and_counts_them(connection: Connection) -> None:
    a, b, stranger = new_id(), new_id(), new_id()
    sets.insert_columns(connection, "things", {"id": ("uuid", [a, b])})
    changed = sets.update_from_columns(
        connection,
        "things",
        keys={"id": ("uuid", [b, a, stranger])},
        values={"big": ("bigint", [2, 1, 3]), "words": ("text", ["b", 'a"\\', "c"])},
    )
    assert (changed, _words(connection, [a, b])) == (2, [('a"\\', 1), ("b", 2)])


def test_a_delete_takes_the_named_rows_only(connection: Connection) -> None:
    a, b = new_id(), new_id()
    sets.insert_columns(connection, "things", {"id": ("uuid", [a, b])})
    assert sets.delete_by_keys(connection, "things", {"id": ("uuid", [a])}) == 1
    assert len(_words(connection, [a, b])) == 1


def test_conflicting_rows_are_left_or_changed_as_told(connection: Connection) -> None:
    a, b = new_id(), new_id()
    for words, conflict in (
        ("old", "DO NOTHING"),
        ("left", "DO NOTHING"),
        ("new", "(id) DO UPDATE SET words = excluded.words"),
    ):
        ids = [a] if words == "old" else [a, b]
        columns: sets.Columns = {"id": ("uuid", ids), "words": ("text", [words] * len(ids))}
        sets.insert_columns(connection, "things", columns, on_conflict=conflict)
    assert [row[0] for row in _words(connection, [a, b])] == ["new", "new"]


def test_several_key_columns_a_condition_and_an_order_are_possible(connection: Connection) -> None:
    ids = [new_id() for _ in range(4)]
    columns: sets.Columns = {"id": ("uuid", ids), "big": ("bigint", [4, 3, 2, 1])}
    sets.insert_columns(connection, "things", columns)
    keys: sets.Columns = {"id": ("uuid", ids), "big": ("bigint", [4, 3, 2, 99])}
    found = sets.select_by_keys(
        connection, "things", keys, select=("big",), where="t.big < 4", order_by="t.big", lock=True
    )
    assert found == [(2,), (3,)]


def test_a_statement_of_ones_own_takes_arrays_in_order(connection: Connection) -> None:
    sql = "SELECT sum(a * b) FROM unnest(%s::bigint[], %s::numeric[]) AS v(a, b)"
    columns: sets.Columns = {
        "a": ("bigint", [2, 3]),
        "b": ("numeric", [Decimal("0.5"), Decimal(4)]),
    }
    assert sets.execute(connection, sql, columns) == [(Decimal("13.0"),)]


def test_pipelined_writes_are_done_at_the_end_of_the_block(connection: Connection) -> None:
    a = new_id()
    keys: sets.Columns = {"id": ("uuid", [a])}
    with sets.pipelined(connection):
        sets.insert_columns(connection, "things", keys)
        values: sets.Columns = {"words": ("text", ["hello"]), "big": ("bigint", [1])}
        sets.update_from_columns(connection, "things", keys=keys, values=values)
    assert _words(connection, [a]) == [("hello", 1)]


def test_what_was_inserted_can_be_written_elsewhere_in_the_same_statement(
    connection: Connection,
) -> None:
    connection.execute(sa.text("CREATE TABLE queue (id uuid)"))
    there, new = new_id(), new_id()
    sets.insert_columns(connection, "things", {"id": ("uuid", [there])})
    rows = sets.insert_later(
        connection,
        "things",
        {"id": ("uuid", [there, new])},
        on_conflict="DO NOTHING",
        returning=("id",),
        also="INSERT INTO queue (id) SELECT id FROM added",
    )
    queued = connection.execute(sa.text("SELECT id FROM queue")).scalars().all()
    assert (rows(), queued) == ([(new,)], [new])


def test_a_pipelined_fault_is_reported_as_the_statement_s_own(connection: Connection) -> None:
    def write_twice(id_: UUID) -> None:
        with sets.pipelined(connection):
            for _ in range(3):
                sets.insert_columns(connection, "things", {"id": ("uuid", [id_])})

    with pytest.raises(psycopg.errors.UniqueViolation):
        write_twice(new_id())


def test_no_rows_run_nothing_and_unequal_columns_are_refused(connection: Connection) -> None:
    assert sets.insert_columns(connection, "nowhere", {"id": ("uuid", [])}) == []
    with pytest.raises(ValueError, match="different lengths"):
        sets.insert_columns(connection, "things", {"id": ("uuid", []), "big": ("bigint", [1])})


def test_a_young_table_without_statistics_is_read_by_its_index(connection: Connection) -> None:
    before = _sequential_scans(connection)
    columns = {"id": ("uuid", [new_id()])}
    for _ in range(10):  # long enough for a generic plan, made while the table is empty
        sets.select_by_keys(connection, "things", columns, select=("id",))
    ids = [new_id() for _ in range(5_000)]
    sets.insert_columns(connection, "things", {"id": ("uuid", ids)})
    sets.select_by_keys(connection, "things", {"id": ("uuid", ids[:5])}, select=("id",))
    assert _sequential_scans(connection) == before


def test_a_table_that_was_analysed_while_empty_is_not_read_whole_for_each_set(
    connection: Connection,
) -> None:
    connection.execute(sa.text("ANALYZE things"))
    ids = [new_id() for _ in range(2_000)]

    def read_few() -> int:
        few: sets.Columns = {"id": ("uuid", ids[:5])}
        return len(
            sets.select_by_keys(connection, "things", few, select=("id",), where="t.big IS NULL")
        )

    assert read_few() == 0  # prepares the plan
    sets.insert_columns(connection, "things", {"id": ("uuid", ids)})
    before = _rows_fetched(connection)
    assert read_few() == 5
    assert _rows_fetched(connection) == before + 5


def _rows_fetched(connection: Connection) -> int:
    fetched = sa.text("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'things'")
    return int(connection.execute(fetched).scalar() or 0)


def _sequential_scans(connection: Connection) -> int:
    scans = sa.text("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'things'")
    return int(connection.execute(scans).scalar() or 0)


def _words(connection: Connection, ids: list[UUID]) -> list[tuple[str, int]]:
    keys: sets.Columns = {"id": ("uuid", ids)}
    rows = sets.select_by_keys(
        connection, "things", keys, select=("words", "big"), order_by="t.place"
    )
    return [(row[0], row[1]) for row in rows]
