"""One log of everything: each process's lines, in the order seen, after the process's name."""

import threading
from collections.abc import Callable
from pathlib import Path

_POLL_SECONDS = 0.1
_CHUNK_BYTES = 1_048_576


class MergedLog:
    """Follows the files *.log of a folder and appends their lines to one file.

    The processes write to files of their own, so that none can be blocked by a slow reader, nor
    lose its last words when this thread has gone. `echo` gets every line as well.
    """

    def __init__(self, folder: Path, target: Path, echo: Callable[[str], None] | None) -> None:
        self._folder = folder
        self._target = target
        self._echo = echo
        self._read: dict[Path, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="merged log", daemon=True)

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("*.log"):
            old.unlink()
        self._target.write_text("")
        self._thread.start()

    def stop(self) -> None:
        """Merge what is there and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _follow(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            self._merge()
        self._merge()

    def _merge(self) -> None:
        with self._target.open("a", encoding="utf-8") as target:
            for file in sorted(self._folder.glob("*.log")):
                for line in self._new_lines(file):
                    prefixed = f"{file.stem:<15} | {line}"
                    target.write(prefixed + "\n")
                    if self._echo is not None:
                        self._echo(prefixed)

    def _new_lines(self, file: Path) -> list[str]:
        with file.open("rb") as log:
            log.seek(self._read.get(file, 0))
            chunk = log.read(_CHUNK_BYTES)
        whole = chunk[: chunk.rfind(b"\n") + 1]
        self._read[file] = self._read.get(file, 0) + len(whole)
        return whole.decode(errors="replace").splitlines()
