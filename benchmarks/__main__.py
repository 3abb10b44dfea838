"""`make bench`: every benchmark, one after the other, each in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "executor_postings",
    "batch_posts",
    "command_steps",
    "hot_member",
    "large_ledger",
    "expiry_run",
    "import_rows",
    "relay_drain",
    "checkouts",
    "verification",
    "dry_runs",
)


def machine() -> str:
    """What the figures were measured on, in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()} of {Path(sys.executable).resolve()}; "
        f"load {load:.1f} before the start"
    )


def main() -> None:
    print(machine(), flush=True)
    failed = []
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False)
        if done.returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
