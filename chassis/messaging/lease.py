"""Leases: who may do what only one process should do at a time, kept in the service's database."""

from __future__ import annotations

import os
import socket
import time
from uuid import uuid4

import psycopg

_ACQUIRE = """
    INSERT INTO leases (name, holder, expires_at)
    VALUES (%(name)s, %(holder)s, clock_timestamp() + make_interval(secs => %(seconds)s))
    ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
    WHERE leases.holder = EXCLUDED.holder OR leases.expires_at <= clock_timestamp()
    RETURNING true
"""
_RELEASE = "DELETE FROM leases WHERE name = %(name)s AND holder = %(holder)s"

_RENEW_SHARE = 3  # renewed when a third of it has passed, so that two renewals may fail


class LeaseLostError(Exception):
    """Another process holds the lease, or it ran out before it could be renewed."""


def unique_holder() -> str:
    """A name no other process has had: host, process id and a random part."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


class Lease:
    """One name held for `seconds` at a time, by the database's clock.

    The holder's own view is never longer than the database's: it counts from before the request
    was sent, on the monotonic clock. All methods but `held` may raise psycopg.Error.
    """

    def __init__(
        self,
        connection: psycopg.Connection[tuple[object, ...]],
        name: str,
        holder: str,
        seconds: float,
    ) -> None:
        self._connection = connection
        self._parameters = {"name": name, "holder": holder, "seconds": seconds}
        self._seconds = seconds
        self._until = 0.0

    def acquire(self) -> bool:
        """Take or renew the lease; False while another process holds it."""
        before = time.monotonic()
        taken = self._connection.execute(_ACQUIRE, self._parameters).fetchone() is not None
        self._until = before + self._seconds if taken else 0.0
        return taken

    def held(self) -> bool:
        return time.monotonic() < self._until

    def keep(self) -> None:
        """Renew when it is time; raises LeaseLostError when it isn't ours any more."""
        renewal_due = self._until - self._seconds * (1 - 1 / _RENEW_SHARE)
        if time.monotonic() >= renewal_due and not self.acquire():
            raise LeaseLostError(self._parameters["name"])

    def release(self) -> None:
        """Let another process have it now; harmless when it isn't held."""
        self._until = 0.0
        self._connection.execute(_RELEASE, self._parameters)
