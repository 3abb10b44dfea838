"""Waiting for a condition with a bound: the only way a test lets time pass."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.02


def wait_until(predicate: Callable[[], T], timeout_seconds: float, what: str) -> T:
    """The predicate's first true value; fails the test naming `what` when there is none in time."""
    deadline = time.monotonic() + timeout_seconds
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds:g} s: {what} (last: {value!r})")
        time.sleep(_POLL_SECONDS)
    return value


async def wait_until_async(
    predicate: Callable[[], Awaitable[T]], timeout_seconds: float, what: str
) -> T:
    """The same for a coroutine function, leaving the loop to others in between."""
    deadline = time.monotonic() + timeout_seconds
    while not (value := await predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds:g} s: {what} (last: {value!r})")
        await asyncio.sleep(_POLL_SECONDS)
    return value
