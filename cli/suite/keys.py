"""Development keys: random for each state folder, marked so that production refuses them."""

import base64
import binascii
import hmac
import os
from pathlib import Path

from cli.local.errors import LocalServerError

_MARK = b"development-"
_ROOT_BYTES = 32
_KEY_BYTES = 32


class DevelopmentKeys:
    """Every key of a suite, derived from one random root in `file` by the key's name.

    Raises LocalServerError when the file is there but can't be a root: what was encrypted under
    it would otherwise become unreadable in silence.
    """

    def __init__(self, file: Path) -> None:
        if not file.exists():
            _write_root(file)
        try:
            self._root = base64.b64decode(file.read_text().strip(), validate=True)
        except (binascii.Error, UnicodeDecodeError):
            self._root = b""
        if len(self._root) != _ROOT_BYTES:
            raise LocalServerError(
                f"the development key in {file} is broken",
                f"restore it, or remove {file.parent} and begin with empty databases",
            )

    def key(self, name: str) -> str:
        """Base64 of 32 bytes that begin with `development-`; the same name gives the same key."""
        digest = hmac.digest(self._root, name.encode(), "sha256")
        return base64.b64encode((_MARK + digest)[:_KEY_BYTES]).decode()


def _write_root(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(base64.b64encode(os.urandom(_ROOT_BYTES)).decode() + "\n")
    draft.replace(file)
