"""Failpoints: named places where a test makes the process die, wait or fail.

The setting `HUITOUKE_FAILPOINTS` arms them: `name=kill;other=delay:2;third=error`. An action may
carry `@N` to fire at the Nth hit only (`name=kill@3`). Actions:

- `kill`: SIGKILL of the own process, so that nothing is cleaned up;
- `delay:SECONDS`: blocks the calling thread (a coroutine waits without blocking its loop);
- `until:PATH`: the same, until there is a file of that path;
- `error`: raises FailpointError.

Unarmed, a failpoint costs one dictionary look-up. In production mode arming is refused.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SETTING = "HUITOUKE_FAILPOINTS"
MODE_SETTING = "HUITOUKE_MODE"
ACTIONS = ("kill", "delay", "until", "error")
_LOOK_SECONDS = 0.02


class FailpointError(Exception):
    """The failure that an armed `error` failpoint stands for."""


class FailpointSettingError(ValueError):
    """The setting is malformed, or failpoints are armed in production mode."""


@dataclass(slots=True)
class _Armed:
    action: str
    argument: str = ""
    only_hit: int | None = None
    hits: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fires(self) -> bool:
        with self.lock:
            self.hits += 1
            return self.only_hit is None or self.hits == self.only_hit

    def pauses(self) -> Iterator[float]:
        """How long to wait, again and again, until it has been long enough."""
        if self.action == "delay":
            yield float(self.argument)
        while self.action == "until" and not Path(self.argument).exists():
            yield _LOOK_SECONDS


_armed: dict[str, _Armed] | None = None


def arm_failpoints(environment: Mapping[str, str] | None = None) -> None:
    """Arm what the environment names, replacing what was armed; the process calls it at start.

    Raises FailpointSettingError. A process that never calls it arms itself at its first hit.
    """
    global _armed
    source = os.environ if environment is None else environment
    specification = source.get(SETTING, "")
    if specification and source.get(MODE_SETTING, "").lower() == "production":
        raise FailpointSettingError(f"{SETTING} is refused in production mode: unset it")
    entries = [entry.strip() for entry in specification.split(";") if entry.strip()]
    _armed = dict(_parse(entry) for entry in entries)


def failpoint(name: str) -> None:
    """Do what the failpoint `name` is armed with, or nothing. May block or raise FailpointError."""
    for seconds in _hit(name):
        time.sleep(seconds)  # the armed delay itself: this is what the test asked for


async def async_failpoint(name: str) -> None:
    """Do the same in a coroutine: a delay lets the event loop go on."""
    for seconds in _hit(name):
        await asyncio.sleep(seconds)


def _parse(entry: str) -> tuple[str, _Armed]:
    name, _, action = entry.partition("=")
    action, _, hit = action.partition("@")
    action, _, argument = action.partition(":")
    try:
        if action == "delay":
            float(argument)
        armed = _Armed(action, argument, int(hit) if hit else None)
    except ValueError as error:
        raise FailpointSettingError(f"{SETTING}: cannot read {entry!r}") from error
    if not name or action not in ACTIONS or (action in ("delay", "until")) != bool(argument):
        raise FailpointSettingError(
            f"{SETTING}: {entry!r} is not name=kill, name=delay:SECONDS, name=until:PATH or "
            "name=error (plus @N)"
        )
    return name, armed


def _hit(name: str) -> Iterable[float]:
    """Kill, raise, or return the pauses to make."""
    if _armed is None:
        arm_failpoints()
    armed = (_armed or {}).get(name)
    if armed is None or not armed.fires():
        return ()
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if armed.action == "error":
        raise FailpointError(name)
    return armed.pauses()
