"""Free ports: chosen seconds before they are used, and never twice meanwhile."""

import subprocess
import sys

from cli.local.ports import free_ports

_CHOOSE = "from cli.local.ports import free_ports; print(*free_ports(40))"


def test_processes_that_choose_at_the_same_time_are_given_different_ports() -> None:
    others = [
        subprocess.Popen([sys.executable, "-c", _CHOOSE], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    chosen = free_ports(40) + free_ports(40)
    for other in others:
        output, _ = other.communicate(timeout=60)
        chosen += map(int, output.split())
    assert len(chosen) == 5 * 40
    assert len(set(chosen[:80])) == 80
    assert not set(chosen[:80]) & set(chosen[80:])
