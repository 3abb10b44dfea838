"""Where downloads are kept, and the rule that each is fetched once and whole or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

Say = Callable[[str], None]
"""Tells the person at the machine, in one line, what is being done."""

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent.parent


def silent(_line: str) -> None:
    """A `Say` for whoever doesn't want to hear."""


def cache_folder() -> Path:
    """HUITOUKE_CACHE, or `huitouke` in the user's cache folder."""
    chosen = os.environ.get("HUITOUKE_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huitouke"


def server_files(name: str) -> Path:
    """The folder that describes a server: deploy/NAME in a checkout, packed along in a wheel."""
    packed = _PACKAGE / f"{name}_files"
    return packed if packed.is_dir() else _CHECKOUT / "deploy" / name


def fetched(name: str, fetch: Callable[[Path], None]) -> Path:
    """The cached folder `name`, filled by `fetch(folder)` if it isn't there yet.

    Processes that want it at the same time wait for the first; a failed or interrupted fetch
    leaves nothing behind that looks complete.
    """
    target = cache_folder() / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            _fill(target, fetch)
    return target


def _fill(target: Path, fetch: Callable[[Path], None]) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fetch(unfinished)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
