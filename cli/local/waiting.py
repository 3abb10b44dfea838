"""Waiting until a freshly started server answers, or saying why it won't."""

import time
from collections.abc import Callable

from cli.local.child import Child
from cli.local.errors import LocalServerError

_POLL_SECONDS = 0.05


def wait_until_ready(child: Child, ready: Callable[[], bool], timeout_seconds: float) -> None:
    """Poll `ready` until it holds.

    Raises LocalServerError with the end of the child's log when it ends first or takes longer;
    a child that is too slow is killed.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if not child.running:
            raise LocalServerError(
                f"{child.name} ended with code {child.exit_code}: {child.last_words()}",
                f"see {child.log}",
            )
        if time.monotonic() > deadline:
            child.kill()
            raise LocalServerError(
                f"{child.name} didn't answer within {timeout_seconds:.0f} s: {child.last_words()}",
                f"see {child.log}",
            )
        time.sleep(_POLL_SECONDS)
