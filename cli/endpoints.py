"""Where a running suite is: what `huitouke up` writes down and every other command reads."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.local.errors import LocalServerError

FILE = "endpoints.json"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of one suite (host:port) and the files that a caller on this machine may read."""

    partner: str
    admin: str
    member: str
    points: str
    coupon: str
    notify: str
    kafka_bootstrap: str
    topic_prefix: str
    certificates: str
    sms_spool: str
    mail_spool: str

    def save(self, state: Path) -> None:
        """Write them into the state folder, whole or not at all."""
        draft = state / f".{FILE}"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(state / FILE)

    @classmethod
    def load(cls, state: Path) -> "Endpoints":
        """Read them back.

        Raises:
            LocalServerError: No suite runs with this state folder.
        """
        try:
            return cls(**json.loads((state / FILE).read_text()))
        except FileNotFoundError:
            raise LocalServerError(
                f"no suite runs with the state folder {state}", "start one with `huitouke up`"
            ) from None
