"""The servers that `huitouke up` starts on a laptop."""

from pathlib import Path

import psycopg
import pytest
from kafka.admin import KafkaAdminClient

from cli.local.errors import LocalServerError
from cli.local.ports import LOOPBACK, free_port
from cli.local.postgres import PostgresServer


def test_a_test_database_is_fresh_and_durable(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)


def test_the_broker_answers(kafka_bootstrap: str) -> None:
    client = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    assert isinstance(client.list_topics(), list)
    client.close()


def test_a_crashed_postgres_comes_back_with_what_was_committed(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "data", free_port(), tmp_path / "log")
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (number int)")
        connection.execute("INSERT INTO kept VALUES (7)")
        server.crash()
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
    server.stop()


def test_a_taken_port_is_named_with_its_holder(postgres_url: str, tmp_path: Path) -> None:
    port = psycopg.conninfo.conninfo_to_dict(postgres_url)["port"]
    second = PostgresServer(tmp_path / "data", int(port or 5432), tmp_path / "log")
    with pytest.raises(LocalServerError, match=rf"port {port}, wanted for PostgreSQL, is in use"):
        second.start()


def test_servers_listen_on_loopback_only(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == (LOOPBACK,)
