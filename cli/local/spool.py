"""Spool files: what a local sink has received, one JSON object a line, oldest first."""

import json
from pathlib import Path
from typing import Any


def read_spool(path: Path) -> list[dict[str, Any]]:
    """Every whole line; one still being written is left for the next read."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]
