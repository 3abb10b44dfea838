"""A points service as a process of its own over a ledger that is filled in bulk."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks.calling import Target
from chassis.identifiers import new_id
from chassis.storage.engine import create_engine
from chassis.storage.migrations import migrate
from cli.local.certificates import ensure_certificates
from cli.local.child import Child
from cli.local.ports import LOOPBACK, free_port, is_open
from cli.local.postgres import ensure_database
from cli.local.waiting import wait_until_ready
from services.points.main import MIGRATIONS

SERVICE = "/huitouke.points.v1.PointsService"
START_SECONDS = 30
KEY = b"development-benchmark-key-of-32-bytes"
LOT_POINTS = 100
FIRST_EXPIRY = timedelta(days=60)

# Opening lots, each with its posting, all of one instant: what members had before the benchmark.
# Expiries are `step` apart, so that spending order is by number; before that of what is earned now.
_MEMBERS = """
INSERT INTO members (member_id, version, last_posted_at, points, points_next_expiry,
                     points_next_earned_at, points_next_remaining, last_lot_number)
SELECT m, %(lots)s, %(earned_at)s, %(lots)s * %(points)s::bigint,
       %(expires_at)s::timestamptz + %(step)s::interval, %(earned_at)s, %(points)s, %(lots)s
FROM unnest(%(members)s::uuid[]) AS m
"""
_LOTS = """
INSERT INTO lots (member_id, lot_number, asset, open, amount, remaining, expired, earned_at,
                  expires_at)
SELECT m, n, 'POINTS', true, %(points)s, %(points)s, 0, %(earned_at)s,
       %(expires_at)s::timestamptz + n * %(step)s::interval
FROM unnest(%(members)s::uuid[]) AS m, generate_series(1, %(lots)s) AS n
"""
_POSTINGS = """
INSERT INTO postings (member_id, version, line, kind, asset, house, funder, lot_number, amount,
                      balance_after, basis_minor, posted_at, reference_id, programme_version, rule)
SELECT m, n, 1, 'IMPORT', 'POINTS', 'ISSUED', 'ISSUER', n, %(points)s, n * %(points)s::bigint, 0,
       %(earned_at)s, %(reference)s, 0, 'OPENING_BALANCE'
FROM unnest(%(members)s::uuid[]) AS m, generate_series(1, %(lots)s) AS n
"""
FILL_MEMBERS = 20_000
"""Members filled by one statement."""


class Ledger:
    """A migrated database of its own; members come with opening lots of 100 points."""

    def __init__(self, server_url: str, name: str) -> None:
        ensure_database(f"{server_url}/postgres", name)
        self.url = f"{server_url}/{name}"
        engine = create_engine(self.url, application_name="benchmark-migrate")
        migrate(engine, MIGRATIONS)
        engine.dispose()

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url, autocommit=True)

    def fill(
        self,
        members: Sequence[UUID],
        lots: int,
        *,
        earned_at: str = "2020-01-01Z",
        expires_at: datetime | None = None,
        step: str = "1 hour",
    ) -> None:
        """Give each of `members`, who are new, so many lots."""
        values = {
            "lots": lots,
            "points": LOT_POINTS,
            "earned_at": earned_at,
            "expires_at": expires_at or datetime.now(UTC) + FIRST_EXPIRY,
            "step": step,
            "reference": new_id(),
        }
        with self.connect() as connection:
            for at in range(0, len(members), FILL_MEMBERS):
                some = {**values, "members": list(members[at : at + FILL_MEMBERS])}
                for statement in (_MEMBERS, _LOTS, _POSTINGS):
                    connection.execute(statement, some)

    def settle(self) -> None:
        """Do what autovacuum would have done by the time a ledger has this size.

        Not for tables that are still empty: no autovacuum would look at those.
        """
        with self.connect() as connection:
            connection.execute("VACUUM ANALYZE members, lots, postings")
            connection.execute("CHECKPOINT")

    def drop_events(self) -> None:
        """Take the events away, as the relay would."""
        with self.connect() as connection:
            connection.execute("TRUNCATE outbox")

    def number(self, query: str) -> int:
        """The one number that a query answers."""
        with self.connect() as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(str(row[0]))

    def hot_share(self, table: str) -> float:
        """The share of a table's updates that touched no index, percent, since the last reset."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT 100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1) FROM pg_stat_user_tables "
                "WHERE relname = %s",
                (table,),
            ).fetchone()
        assert row is not None
        return float(str(row[0]))


@dataclass(frozen=True, slots=True)
class Service:
    """A running points service."""

    address: str
    certificates: Path
    pid: int

    def target(self, method: str) -> Target:
        """One of its RPCs, called as the gateway."""
        authority, certificate, key = (
            (self.certificates / name).read_bytes()
            for name in ("ca.pem", "gateway.pem", "gateway.key")
        )
        return Target(self.address, f"{SERVICE}/{method}", authority, identity=(certificate, key))


def environment(url: str, certificates: Path, **changes: str) -> dict[str, str]:
    """What a role of the points service needs to know."""
    own = {
        "DATABASE_URL": url,
        "TLS_CERTIFICATE_FILE": str(certificates / "points.pem"),
        "TLS_KEY_FILE": str(certificates / "points.key"),
        "TLS_CA_FILE": str(certificates / "ca.pem"),
        "REQUEST_KEY": b64encode(KEY).decode(),
        "METRICS_LISTEN": "off",
        "DRAIN_PAUSE_SECONDS": "0",
        **changes,
    }
    shared = {"HUITOUKE_MODE": "development", "HUITOUKE_KAFKA_BOOTSTRAP": f"{LOOPBACK}:1"}
    return shared | {f"HUITOUKE_POINTS_{name}": value for name, value in own.items()}


def role(name: str, folder: Path, settings: dict[str, str]) -> Child:
    """Start a role of the points service as a child."""
    program = "from services.points.main import main; main()"
    command = [sys.executable, "-c", program, name]
    return Child(f"points {name}", command, log=folder / f"{name}.log", environment=settings)


@contextmanager
def points_service(ledger: Ledger, folder: Path) -> Iterator[Service]:
    """Serve a ledger until the block ends."""
    certificates = ensure_certificates(folder / "certificates")
    port = free_port()
    settings = environment(ledger.url, certificates, LISTEN=f"{LOOPBACK}:{port}")
    child = role("serve", folder, settings)
    try:
        wait_until_ready(child, lambda: is_open(port), START_SECONDS)
        yield Service(f"{LOOPBACK}:{port}", certificates, child.pid)
    finally:
        child.stop()
