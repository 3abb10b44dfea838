"""The repository's files as the contract tests see them: what is committed or about to be."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_GENERATED = ROOT / "protos" / "gen"


@cache
def files() -> tuple[Path, ...]:
    """Every file that git keeps or would keep, sorted; without git, every file outside of dots."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    paths = {ROOT / line for line in result.stdout.splitlines()}
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def modules() -> tuple[Path, ...]:
    """Every hand-written Python module."""
    return tuple(
        path for path in files() if path.suffix == ".py" and _GENERATED not in path.parents
    )


def name_of(path: Path) -> str:
    """A path as shown in a failure."""
    return str(path.relative_to(ROOT))
