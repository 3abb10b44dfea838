"""Ports on loopback: finding free ones, and saying who holds one that is taken."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import TextIO

import psutil

from cli.local.errors import LocalServerError

LOOPBACK = "127.0.0.1"


_FREE_FROM, _FREE_TO = 20_000, 32_000
"""Below the ports that the kernel lends to outgoing connections, one of which might otherwise
take a port while its server is being restarted."""

_BLOCK_PORTS = 50
_pool: list[int] = []
_locks: list[TextIO] = []


def free_port() -> int:
    """A port nobody listens on, and that no other process will be given by this function."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ports that nobody listens on, and that nobody else is given meanwhile.

    A port is used seconds after it was chosen. So each process chooses from blocks of its own,
    which it holds by a locked file until it ends.
    """
    free: list[int] = []
    while len(free) < count:
        if not _pool:
            _pool.extend(_take_block())
        port = _pool.pop()
        if _is_free(port):
            free.append(port)
    return free


def _take_block() -> range:
    folder = Path(tempfile.gettempdir()) / f"huitouke-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    blocks = range(_FREE_FROM, _FREE_TO, _BLOCK_PORTS)
    for first in random.sample(blocks, k=len(blocks)):
        lock = (folder / str(first)).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        _locks.append(lock)
        return range(first, first + _BLOCK_PORTS)
    raise LocalServerError(
        f"no port is free between {_FREE_FROM} and {_FREE_TO}", "stop what listens there"
    )


def is_open(port: int) -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def require_free(port: int, purpose: str) -> None:
    """Raises LocalServerError naming the port, its purpose and, if visible, who holds it."""
    if not _is_free(port):
        raise LocalServerError(
            f"port {port}, wanted for {purpose}, is in use{_holder(port)}",
            "stop that process, or choose other ports with `huitouke up --port-base PORT`",
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _holder(port: int) -> str:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        address = connection.laddr
        if connection.status == psutil.CONN_LISTEN and address and address.port == port:
            return f" by {_program(connection.pid)} (process {connection.pid})"
    return ""


def _program(pid: int | None) -> str:
    try:
        return psutil.Process(pid).name() if pid else "another user's process"
    except psutil.NoSuchProcess:
        return "a process that has just ended"
