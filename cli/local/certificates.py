"""Development certificates: one throw-away authority, one leaf for each caller name."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import trustme

CALLERS = ("gateway", "member", "points", "coupon", "notify", "operator", "mail")
"""The processes that speak to each other, `operator`, which people and the CLI use, and the mail
sink, which calls nobody."""


def ensure_certificates(folder: Path, callers: Sequence[str] = CALLERS) -> Path:
    """Write ca.pem, NAME.pem and NAME.key (PEM) unless all of them are there.

    A leaf serves as server and as client; its names are NAME.huitouke.internal, by which a server
    knows its caller, localhost and 127.0.0.1. The authority's key is kept nowhere, so a missing
    file means that all are made anew.
    """
    if all(path.exists() for path in _files(folder, callers)):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    authority = trustme.CA(organization_name="Huitouke development")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in callers:
        leaf = authority.issue_cert(f"{name}.huitouke.internal", "localhost", "127.0.0.1")
        for block in leaf.cert_chain_pems:
            block.write_to_path(str(folder / f"{name}.pem"), append=True)
        key = folder / f"{name}.key"
        key.touch(mode=0o600)
        leaf.private_key_pem.write_to_path(str(key))
    return folder


def _files(folder: Path, callers: Sequence[str]) -> list[Path]:
    leaves = [folder / f"{name}.{kind}" for name in callers for kind in ("pem", "key")]
    return [folder / "ca.pem", *leaves]
