"""`make prove`: an hour or more. Histories by the thousand, long races, and mutants of the rules.

    python -m tests.proving [histories] [races] [mutants]

Without a word all three. The environment says how much: HISTORIES, HISTORIES_POSTGRES,
HISTORIES_SEED, RACE_ROUNDS, MUTANTS_ONLY="activity,hold*" for the mutants of these modules of the
rules, and MUTANTS_EVERY=10 for a tenth of the mutants, evenly spread.
docs/proof.md says what each proves, and lists the mutants that are known to survive.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tests import servers

ROOT: Final = Path(__file__).parent.parent
MUTANTS: Final = ROOT / "mutants"
RULES: Final = "services/points/domain"
_PACKAGE: Final = RULES.replace("/", ".") + "."
KILLED_MIN: Final = 0.85
WORKERS: Final = 2

HISTORIES: Final = [
    "tests/unit/points/test_histories.py",
    "tests/integration/points/test_histories.py",
]
RACES: Final = [
    "tests/integration/points/test_races.py",
    "tests/integration/points/test_hold_races.py",
    "tests/integration/points/test_movement_races.py",
]
FIRST: Final = {"HISTORIES": "12", "PYTEST_ADDOPTS": "--hypothesis-profile=mutants-first"}
THOROUGH: Final = {"HISTORIES": "120", "PYTEST_ADDOPTS": "--hypothesis-profile=mutants"}
"""How much is drawn for each mutant; nothing but kills is gained by more."""
KILLED, SURVIVED, UNREACHED, ENDLESS = "killed", "survived", "no test", "endless"
_BY_EXIT_CODE: Final = {0: SURVIVED, 33: UNREACHED, 5: UNREACHED} | dict.fromkeys(
    (-24, -9, 24, 36, 152), ENDLESS
)
"""What mutmut notes of a mutant; any other code is a failed or crashed test run."""


def prove_histories() -> bool:
    return _passes(HISTORIES, HISTORIES="10000", HISTORIES_POSTGRES="1000")


def prove_races() -> bool:
    return _passes(RACES, RACE_ROUNDS="200")


def _passes(files: list[str], **amounts: str) -> bool:
    said = [f"{name}={os.environ.get(name, value)}" for name, value in amounts.items()]
    print(" ".join(said), flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=0", "--durations=5", *files]
    return _run(command, amounts) == 0


def prove_mutants() -> bool:
    """Change the rules one by one; tests that need no server must notice most of it.

    All are tried with few histories and examples; who survives that, again with many. So is who
    took too long: a busy machine must not pass for a killer.
    """
    every = int(os.environ.get("MUTANTS_EVERY", "1"))
    only = os.environ.get("MUTANTS_ONLY", "")
    modules = modules_named(only, [path.stem for path in (ROOT / RULES).glob("*.py")])
    shutil.rmtree(MUTANTS, ignore_errors=True)
    wanted = [f"{_PACKAGE}{module}.*" for module in modules] if only else []
    if every > 1:
        _mutmut(FIRST, f"{_PACKAGE}calendar.*")  # makes all, tries few
        made = [name for name in sorted(_outcomes()) if _module_of(name) in modules]
        wanted = made[::every]
    _mutmut(FIRST, *wanted)
    left = [name for name, outcome in _outcomes().items() if outcome in {SURVIVED, ENDLESS}]
    if left:
        print(f"{len(left)} survived few histories, or took too long; again with many", flush=True)
        (MUTANTS / "mutmut-stats.json").unlink()  # how long tests take, which is more now
        _mutmut(THOROUGH, *left)
    return _told(every, only)


def modules_named(only: str, modules: Collection[str]) -> list[str]:
    """The modules that `only` names, by commas and wildcards; all where it says nothing.

    Raises ValueError for a name that no module has: nothing would be tried, and seem proven.
    """
    wanted = set()
    for pattern in [each.strip() for each in only.split(",") if each.strip()] or ["*"]:
        found = [module for module in modules if fnmatchcase(module, pattern)]
        if not found:
            raise ValueError(f"MUTANTS_ONLY: {RULES} has no module {pattern}")
        wanted.update(found)
    return sorted(wanted)


def _module_of(mutant: str) -> str:
    return mutant.removeprefix(_PACKAGE).partition(".")[0]


def _mutmut(amounts: Mapping[str, str], *names: str) -> None:
    """Try mutants, all of those still untried where none is named."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(WORKERS), *names]
    _run(command, {servers.ADDRESS: servers.NONE, "HISTORIES_SHRINK": "no", **amounts})


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """Run with what the environment does not say already."""
    return subprocess.run(command, cwd=ROOT, env={**environment, **os.environ}).returncode


def _outcomes() -> dict[str, str]:
    """Each mutant that was made, with what became of it; "" where it was not tried."""
    return dict(_noted())


def _noted() -> Iterator[tuple[str, str]]:
    for path in sorted((MUTANTS / RULES).glob("*.meta")):
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            yield name, "" if code is None else _BY_EXIT_CODE.get(code, KILLED)


def _told(every: int, only: str) -> bool:
    """Print the figures and the survivors, and whether few enough survived."""
    tried = {name: outcome for name, outcome in _outcomes().items() if outcome}
    counted = Counter(tried.values())
    print(f"mutants tried: {len(tried)} of {only or 'all'} (every {every}.): {dict(counted)}")
    for name in sorted(tried):
        if tried[name] != KILLED:
            print(f"  {tried[name]}: {name}")
    share = (counted[KILLED] + counted[ENDLESS]) / max(1, len(tried))
    print(f"killed, endless ones included: {share:.1%}, at least {KILLED_MIN:.0%} wanted")
    return share >= KILLED_MIN


PROOFS: Final = {"histories": prove_histories, "races": prove_races, "mutants": prove_mutants}


def main(wanted: list[str]) -> int:
    """Run the named proofs, or all; 1 if any fails."""
    failed = [name for name in wanted or PROOFS if not PROOFS[name]()]
    print(f"failed: {', '.join(failed)}" if failed else "proven")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
