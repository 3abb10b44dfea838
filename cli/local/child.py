"""A child process that ends with its starter, writes to a log file, and stops within a bound."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LAUNCH = Path(__file__).with_name("launch.py")


class Child:
    """One running program in a session of its own, so that Ctrl-C reaches only its starter.

    Args:
        name: what it is called in messages.
        command: program and arguments; the program is looked up on the PATH.
        log: file that its standard output and error are appended to.
        environment: its whole environment; None hands down the starter's.
        user: system user to become first (needs root).
        death_signal: what the kernel sends it when the starter ends. The starter is the *thread*
            that constructs this, so construct it in one that lives as long as the child should.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        folder: Path | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        launch = [sys.executable, "-I", "-S", str(_LAUNCH)]
        launch += [str(os.getpid()), str(int(death_signal)), user or "-"]
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [*launch, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                cwd=folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        return self._process.poll()

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def output(self) -> str:
        """What this run has written to its log so far."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def last_words(self, lines: int = 5) -> str:
        """The end of its output on one line, for an error message."""
        said = [line.strip() for line in self.output().splitlines() if line.strip()]
        return " | ".join(said[-lines:])

    def wait(self, timeout_seconds: float) -> int:
        """Its exit code; raises subprocess.TimeoutExpired."""
        return self._process.wait(timeout_seconds)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone; nothing happens if it has ended."""
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_seconds: float = 20) -> None:
        """Ask it to end, and end it and what it started after the time given."""
        self.begin_stop(number)
        self.finish_stop(timeout_seconds)

    def begin_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end without waiting, so that several can end at the same time."""
        self.send(number)

    def finish_stop(self, timeout_seconds: float) -> None:
        """Wait for its end; SIGKILL after the time given."""
        try:
            self.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL for it and for every process of its session's first group."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait(timeout_seconds=10)
