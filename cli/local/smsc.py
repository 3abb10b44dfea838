"""A real SMPP 3.4 message centre on loopback (node), and its control over HTTP."""

import hashlib
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.local.cache import Say, fetched, server_files, silent
from cli.local.child import Child
from cli.local.environment import bare_environment
from cli.local.errors import LocalServerError
from cli.local.ports import LOOPBACK, require_free
from cli.local.spool import read_spool
from cli.local.waiting import wait_until_ready

SYSTEM_ID = "huitouke"
PASSWORD = "huitouke"  # noqa: S105 - SMPP allows 8 characters; this centre is on loopback only
START_TIMEOUT_SECONDS = 30
FETCH_TIMEOUT_SECONDS = 300
CONTROL_TIMEOUT_SECONDS = 5


class ShortMessageCentre:
    """One SMSC: SMPP on `port`, control on `control_port`, each submit_sm a line of `spool`.

    A line is an object: message_id, received_at, source, destination, data_coding, esm_class,
    udh (hex or null), part ({reference, total, number} or null), short_message (hex, without the
    header) and text. It is a direct child process and ends when its starter does.
    """

    def __init__(
        self, port: int, control_port: int, spool: Path, log: Path, say: Say = silent
    ) -> None:
        self.port = port
        self.control_port = control_port
        self.spool = spool
        self._log = log
        self._say = say
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    name = "SMSC"

    def start(self) -> None:
        """Launch it and wait until it listens."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it without waiting, after fetching its package if need be."""
        require_free(self.port, "the SMSC")
        require_free(self.control_port, "the SMSC's control")
        modules = packages(self._say)
        self.spool.parent.mkdir(parents=True, exist_ok=True)
        environment = bare_environment(
            NODE_PATH=str(modules / "node_modules"),
            SMSC_PORT=str(self.port),
            SMSC_CONTROL_PORT=str(self.control_port),
            SMSC_SYSTEM_ID=SYSTEM_ID,
            SMSC_PASSWORD=PASSWORD,
            SMSC_SPOOL=str(self.spool),
        )
        script = str(server_files("smsc") / "server.js")
        self._child = Child("the SMSC", ["node", script], log=self._log, environment=environment)

    def wait(self) -> None:
        """Return once it listens; LocalServerError says why it won't."""
        assert self._child is not None, "launch it first"
        wait_until_ready(self._child, self._is_ready, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def messages(self) -> list[dict[str, Any]]:
        """Every submit_sm taken so far, oldest first."""
        return read_spool(self.spool)

    def inbound(self, source: str, destination: str, text: str) -> None:
        """Send an SMS from a phone to whoever is bound; kept until somebody is."""
        self._control("inbound", {"source": source, "destination": destination, "text": text})

    def behave(self, **changes: object) -> None:
        """Change how it treats what comes next; the names are those of `behaviour` in server.js."""
        self._control("behaviour", changes)

    def disconnect(self) -> None:
        """Drop every client's connection."""
        self._control("disconnect", {})

    def _control(self, name: str, body: Mapping[str, object]) -> None:
        request = urllib.request.Request(
            f"http://{LOOPBACK}:{self.control_port}/{name}",
            data=json.dumps(body).encode(),
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=CONTROL_TIMEOUT_SECONDS):  # noqa: S310
            pass

    def _is_ready(self) -> bool:
        assert self._child is not None
        return "SMSC ready" in self._child.output()


def packages(say: Say = silent) -> Path:
    """The folder with node_modules as the lock file says, fetched by npm the first time."""
    _require("node", "nodejs")
    source = server_files("smsc")
    lock = (source / "package-lock.json").read_bytes()
    version = hashlib.sha256(lock).hexdigest()[:12]
    return fetched(f"smsc-{version}", lambda folder: _fetch(source, folder, say))


def _fetch(source: Path, folder: Path, say: Say) -> None:
    _require("npm", "npm")
    say("fetching the SMSC's package by npm (1 MB, once)")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, folder / name)
    result = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=FETCH_TIMEOUT_SECONDS,
    )
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()
        raise LocalServerError(
            f"npm couldn't fetch the SMSC's package: {said[0] if said else 'no output'}",
            "check the network or ~/.npmrc and run it again",
        )


def _require(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise LocalServerError(
            f"{program}, which the local SMSC needs, is missing", f"apt-get install {package}"
        )
