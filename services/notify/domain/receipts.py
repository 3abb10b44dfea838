"""What a delivery receipt means (SMPP 3.4, appendix B)."""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a receipt says of one part."""

    DELIVERED = "DELIVERED"
    UNDELIVERABLE = "UNDELIVERABLE"
    PENDING = "PENDING"


_VERDICTS = {
    "DELIVRD": Verdict.DELIVERED,
    "EXPIRED": Verdict.UNDELIVERABLE,
    "DELETED": Verdict.UNDELIVERABLE,
    "UNDELIV": Verdict.UNDELIVERABLE,
    "REJECTD": Verdict.UNDELIVERABLE,
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt as it came: the provider's name for a part and its final state."""

    provider: str
    provider_message_id: str
    outcome: str


def verdict_of(outcome: str) -> Verdict:
    """What a state means; ENROUTE, ACCEPTD, UNKNOWN and what no one knows leave it open."""
    return _VERDICTS.get(outcome, Verdict.PENDING)
