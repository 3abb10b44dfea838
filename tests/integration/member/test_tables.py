"""The tables that the code believes in are those that the migrations make."""

from __future__ import annotations

import psycopg

from services.member.storage.rows import CARD_COLUMNS, MEMBER_COLUMNS
from services.member.storage.tables import CARDS, MEMBERS, SEALED, TABLES
from tests.integration.member.running import migrated

_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_SHORT = {"timestamp with time zone": "timestamptz"}


def test_the_code_knows_every_column_with_its_type(database_url: str) -> None:
    with psycopg.connect(migrated(database_url)) as connection:
        for table, columns in TABLES.items():
            found = connection.execute(_COLUMNS, (table,)).fetchall()
            assert {name: _SHORT.get(kind, kind) for name, kind in found} == columns


def test_every_binary_column_is_sealed_or_a_blind_index(database_url: str) -> None:
    with psycopg.connect(migrated(database_url)) as connection:
        found = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND data_type = 'bytea' AND table_name = ANY(%s)",
            (list(TABLES),),
        ).fetchall()
    sealed = {(table, column) for table, columns in SEALED.items() for column in columns}
    assert {pair for pair in found if not pair[1].endswith("_index")} == sealed


def test_rows_are_read_whole_but_for_blind_indexes() -> None:
    for table, columns in ((MEMBERS, MEMBER_COLUMNS), (CARDS, CARD_COLUMNS)):
        assert set(columns) == {name for name in table if not name.endswith("_index")}


def test_tiers_are_seeded_lowest_first(database_url: str) -> None:
    with psycopg.connect(migrated(database_url)) as connection:
        codes = connection.execute("SELECT code FROM tiers ORDER BY rank").fetchall()
    assert [code for (code,) in codes] == ["CLASSIC", "SILVER", "GOLD", "PLATINUM"]
