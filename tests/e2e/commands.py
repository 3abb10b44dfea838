"""The `huitouke` command as a person runs it, against a running suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cli.suite import Suite

_PROGRAM = str(Path(sys.executable).with_name("huitouke"))
_WIDE = {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


def begin(suite: Suite, *arguments: str) -> subprocess.Popen[str]:
    """Start the command; its output and errors come through one pipe."""
    return subprocess.Popen(
        [_PROGRAM, *arguments, "--state", str(suite.state)],
        env={**os.environ, **_WIDE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(suite: Suite, *arguments: str, timeout_seconds: float = 100) -> tuple[int, str]:
    """Run it to its end; exit code and output."""
    process = begin(suite, *arguments)
    try:
        output, _ = process.communicate(timeout=timeout_seconds)
    finally:
        process.kill()
    return process.returncode, output
