"""Documents say what is there: links lead somewhere, commands exist, nothing is of one machine."""

import re
from pathlib import Path

import pytest

from services.points.domain.verification import DifferenceKind
from tests.contract.tree import ROOT, files, name_of

DOCUMENTS = [path for path in files() if path.suffix == ".md"]
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"```.*?```", re.DOTALL)
_TARGET = re.compile(r"^([a-z][a-z-]*):.*?(## .*)?$", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home|work|Users)/[\w.-]+")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_link_leads_somewhere(document: Path) -> None:
    text = _FENCE.sub("", document.read_text())
    targets = [target for target in _LINK.findall(text) if "://" not in target]
    missing = [target for target in targets if not _leads_somewhere(document, target)]
    assert missing == []


def _leads_somewhere(document: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    if target.startswith("mailto:"):
        return True
    file = (document.parent / path).resolve() if path else document
    if not anchor or file.suffix != ".md":
        return file.exists()
    return file.exists() and anchor in _anchors(file)


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _targets() -> dict[str, bool]:
    """Each of the Makefile's targets, and whether `make help` shows it."""
    found = _TARGET.findall((ROOT / "Makefile").read_text())
    return {name: bool(comment) for name, comment in found}


def test_each_target_is_shown_by_help_or_part_of_one() -> None:
    whole = {name for name, shown in _targets().items() if shown}
    hidden = set(_targets()) - whole
    assert [name for name in hidden if name.split("-", maxsplit=1)[0] not in whole] == []


def test_each_make_command_in_a_document_exists() -> None:
    unknown = {
        f"{name_of(document)}: make {target}"
        for document in DOCUMENTS
        for target in re.findall(r"`make ([a-z-]+)", document.read_text())
        if target not in _targets()
    }
    assert unknown == set()


def test_the_runbook_explains_every_kind_of_difference_in_the_books() -> None:
    text = (ROOT / "docs" / "runbooks" / "verify-the-books.md").read_text()
    assert [kind for kind in DifferenceKind if f"`{kind}`" not in text] == []


def test_no_file_speaks_of_one_machine() -> None:
    found = [
        f"{name_of(path)}: {match.group()}"
        for path in files()
        if path.suffix not in (".pyc", ".binpb") and path != Path(__file__)
        for match in _MACHINE_PATH.finditer(path.read_text(errors="ignore"))
    ]
    assert found == []
