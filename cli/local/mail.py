"""A mail sink on loopback: SMTP with STARTTLS that keeps every message and delivers none."""

import signal
import sys
from pathlib import Path
from typing import Any

from cli.local.child import Child
from cli.local.environment import bare_environment
from cli.local.ports import require_free
from cli.local.spool import read_spool
from cli.local.waiting import wait_until_ready

START_TIMEOUT_SECONDS = 30


class MailSink:
    """One sink: SMTP on `port`, each accepted mail a line of `spool`.

    A line is an object: received_at, tls (bool), sender, recipients, subject, message_id, text,
    html and the raw message. `certificates` is the folder of the development certificates; the
    sink shows `mail`'s, which is good for localhost too. It is a direct child process.
    """

    def __init__(self, port: int, spool: Path, certificates: Path, log: Path) -> None:
        self.port = port
        self.spool = spool
        self._certificates = certificates
        self._log = log
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    name = "mail sink"

    def start(self) -> None:
        """Launch it and wait until it listens."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it without waiting."""
        require_free(self.port, "the mail sink")
        self.spool.parent.mkdir(parents=True, exist_ok=True)
        certificate = self._certificates / "mail.pem"
        arguments = [str(self.port), str(self.spool), str(certificate)]
        command = [sys.executable, "-m", "cli.local.mail_server", *arguments]
        self._child = Child(
            "the mail sink",
            command,
            log=self._log,
            environment=bare_environment(),
            death_signal=signal.SIGTERM,
        )

    def wait(self) -> None:
        """Return once it listens; LocalServerError says why it won't."""
        assert self._child is not None, "launch it first"
        wait_until_ready(self._child, self._is_ready, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()
            self._child = None

    def messages(self) -> list[dict[str, Any]]:
        """Every mail accepted so far, oldest first."""
        return read_spool(self.spool)

    def _is_ready(self) -> bool:
        assert self._child is not None
        return "mail sink ready" in self._child.output()
