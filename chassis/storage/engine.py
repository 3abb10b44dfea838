"""Database engines: SQLAlchemy over psycopg 3, with limits on everything that can wait."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Engine

INDEX_ONLY_PLANS = (
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "plan_cache_mode=force_generic_plan",
)
"""Planner settings under which a set-based statement on a young, never analysed table still goes
by its index; a prepared plan made on an empty table would otherwise scan it when it has grown."""


def create_engine(
    url: str,
    *,
    application_name: str,
    pool_size: int = 5,
    autocommit: bool = False,
    index_plans: bool = False,
    connect_timeout_seconds: int = 5,
    statement_timeout_seconds: float = 30.0,
    lock_timeout_seconds: float = 10.0,
    idle_in_transaction_timeout_seconds: float = 60.0,
) -> Engine:
    """Return an engine; connects lazily. READ COMMITTED, or AUTOCOMMIT for single-statement reads.

    Sessions speak UTC; errors do not repeat a statement's parameters. `index_plans` is for the
    executor and the reads of single members, wrong for reports and scans. The pool holds
    `pool_size` connections and no overflow; it waits `connect_timeout_seconds` for a free one.
    """
    options = {
        "timezone": "UTC",
        "statement_timeout": f"{int(statement_timeout_seconds * 1000)}",
        "lock_timeout": f"{int(lock_timeout_seconds * 1000)}",
        "idle_in_transaction_session_timeout": f"{int(idle_in_transaction_timeout_seconds * 1000)}",
    }
    settings = [f"{name}={value}" for name, value in options.items()]
    settings += INDEX_ONLY_PLANS if index_plans else ()
    return sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=connect_timeout_seconds,
        pool_use_lifo=True,
        connect_args={
            "application_name": application_name,
            "connect_timeout": connect_timeout_seconds,
            "keepalives_idle": 30,
            "options": " ".join(f"-c {setting}" for setting in settings),
        },
    )
