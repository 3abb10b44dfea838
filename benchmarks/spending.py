"""CPU seconds by process: what a busy machine can't falsify, unlike time on the clock."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil
import psycopg

from cli.suite import Suite

TOLD_SECONDS_MAX = 180.0
SETTLE_SECONDS_MAX, LOOK_SECONDS = 30.0, 0.5
IDLE_SHARE = 0.25
"""Of one core: what a suite without work spends on looking whether there is any."""


@dataclass(frozen=True, slots=True)
class Spent:
    """User and system seconds by name, each with the process's children (PostgreSQL's backends)."""

    seconds: Mapping[str, float]

    def since(self, before: Spent) -> dict[str, float]:
        """What was spent between two of them."""
        return {name: now - before.seconds[name] for name, now in self.seconds.items()}


def spent(pids: Mapping[str, int]) -> Spent:
    """Read the kernel's account of these processes, by name."""
    return Spent({name: _seconds(pid) for name, pid in pids.items()})


def pids_of(suite: Suite) -> dict[str, int]:
    """The suite's processes and the servers it runs itself."""
    named = {name: process.pid for name, process in suite.processes.items()}
    named |= {server.name: server.pid for server in suite.servers}
    return {name: pid for name, pid in named.items() if pid is not None}


def settle(pids: Mapping[str, int]) -> None:
    """Return when these processes have next to nothing left to do, after half a minute at most."""
    until = time.monotonic() + SETTLE_SECONDS_MAX
    busy = float("inf")
    while busy > IDLE_SHARE and time.monotonic() < until:
        before = spent(pids)
        time.sleep(LOOK_SECONDS)
        busy = sum(spent(pids).since(before).values()) / LOOK_SECONDS


def wait_until_told(suite: Suite, dinners: int) -> None:
    """Return when the guests of so many dinners have their SMS: what stands back may look idle.

    Raises TimeoutError after three minutes; returns at once for a suite without notify.
    """
    if "notify" not in suite.services:
        return
    until = time.monotonic() + TOLD_SECONDS_MAX
    with psycopg.connect(suite.configuration.database_url("notify"), autocommit=True) as notify:
        while int(notify.execute(_TOLD).fetchall()[0][0]) < dinners:
            if time.monotonic() > until:
                raise TimeoutError(f"not all guests of {dinners} dinners have their SMS")
            time.sleep(LOOK_SECONDS)


_TOLD = "SELECT count(*) FROM messages WHERE template_code = 'CHECKOUT' AND state = 4"


def table(seconds: Mapping[str, float], calls: int) -> str:
    """Milliseconds of CPU a call by process, the dearest first, and their sum."""
    lines = [
        f"  {name:<16} {1000 * used / calls:6.3f} ms"
        for name, used in sorted(seconds.items(), key=lambda item: -item[1])
        if 1000 * used / calls >= 0.001
    ]
    total = 1000 * sum(seconds.values()) / calls
    return "\n".join([*lines, f"  {'together':<16} {total:6.3f} ms"])


def _seconds(pid: int) -> float:
    process = psutil.Process(pid)
    ended = process.cpu_times()  # what its ended children have spent is in its own account
    living = sum(map(_own_seconds, [process, *process.children(recursive=True)]))
    return float(ended.children_user + ended.children_system) + living


def _own_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # a backend that has just ended
        return 0.0
    return float(times.user + times.system)
