"""The test run's PostgreSQL and Kafka: one each for all workers, started when first wanted.

A keeper process owns them. The run's controller starts it and stops it; should the controller be
killed, the kernel ends the keeper, and the keeper's servers end with it.
"""

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from cli.local.child import Child
from cli.local.errors import LocalServerError
from cli.local.ports import free_port

ADDRESS = "HUITOUKE_TEST_SERVERS"
"""Environment variable that tells the workers where the keeper listens."""
NONE = "none"
"""What it says where no test of a run needs a server."""

START_TIMEOUT_SECONDS = 110


class _Server(Protocol):
    def start(self) -> None: ...
    def crash(self) -> None: ...


class Keeper:
    """The controller's handle on the keeper process."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="huitouke-tests-"))
        os.environ[ADDRESS] = str(self._folder / "socket")
        self._child = Child(
            "the keeper of test servers",
            [sys.executable, "-m", "tests.servers", str(self._folder)],
            log=self._folder / "keeper.log",
            death_signal=signal.SIGTERM,
        )

    def close(self) -> None:
        self._child.stop(timeout_seconds=60)
        shutil.rmtree(self._folder, ignore_errors=True)


def address_of(server: str) -> str:
    """Where `postgres` (a URL) or `kafka` (a bootstrap address) is; starts it if need be."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(START_TIMEOUT_SECONDS)
        _connect(connection, os.environ[ADDRESS])
        connection.sendall(server.encode())
        answer = connection.makefile().read()
    outcome, _, text = answer.partition(" ")
    if outcome != "ok":
        raise RuntimeError(text or "the keeper of test servers has gone")
    return text


def _connect(connection: socket.socket, address: str) -> None:
    from tests.waiting import wait_until

    def connected() -> bool:
        with suppress(FileNotFoundError, ConnectionRefusedError):
            connection.connect(address)
            return True
        return False

    wait_until(connected, 20, "the keeper of test servers listens")


def _postgres(folder: Path) -> tuple[_Server, str]:
    from cli.local.postgres import PostgresServer

    server = PostgresServer(folder / "postgres", free_port(), folder / "postgres.log")
    return server, server.url()


def _kafka(folder: Path) -> tuple[_Server, str]:
    from cli.local.kafka import KafkaBroker

    broker = KafkaBroker(folder / "kafka", free_port(), free_port(), folder / "kafka.log")
    return broker, broker.bootstrap


_MAKERS: dict[str, Callable[[Path], tuple[_Server, str]]] = {
    "postgres": _postgres,
    "kafka": _kafka,
}


def keep(folder: Path) -> None:
    """Answer requests one after the other until SIGTERM, then stop what was started."""
    running: dict[str, tuple[_Server, str]] = {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "socket"))
            listener.listen()
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    name = connection.recv(100).decode()
                    connection.sendall(_answer(name, folder, running).encode())
    finally:
        for server, _ in running.values():
            server.crash()  # what it would write down first is removed with its folder
        shutil.rmtree(folder, ignore_errors=True)


def _answer(name: str, folder: Path, running: dict[str, tuple[_Server, str]]) -> str:
    if name not in running:
        server, address = _MAKERS[name](folder)
        try:
            server.start()
        except LocalServerError as error:
            return f"error {error}"
        running[name] = (server, address)
    return f"ok {running[name][1]}"


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
