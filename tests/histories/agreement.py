"""Whether what the service said is what the model says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from chassis.kernel import Refusal
from chassis.storage.contracts import Executed
from tests.model.guests import Facts, Guest, Refused
from tests.model.ledger import Outcome


def differences(message: Any, facts: Facts, path: str = "") -> Iterator[str]:
    """Each fact that the message does not have; fields without a fact are not looked at."""
    for name, wanted in facts.items():
        if isinstance(wanted, dict):
            yield from differences(getattr(message, name), wanted, f"{path}{name}.")
            continue
        found = getattr(message, name)
        if isinstance(wanted, list):
            if len(found) != len(wanted):
                yield f"{path}{name}: {len(found)} of {len(wanted)}: {found}, not {wanted}"
                continue
            for at, (each, other) in enumerate(zip(found, wanted, strict=True)):
                if not isinstance(other, dict):
                    if each != other:
                        yield f"{path}{name}[{at}]: {each}, not {other}"
                    continue
                yield from differences(each, other, f"{path}{name}[{at}].")
            continue
        if isinstance(wanted, datetime):
            found = found.ToDatetime(tzinfo=UTC)
        elif wanted is None:
            found = found if message.HasField(name) else None
        if found != wanted:
            yield f"{path}{name}: {found}, not {wanted}"


def check_outcome(outcome: Executed[Any] | Refusal, expected: Outcome) -> None:
    given = expected.given
    if isinstance(given, Refused):
        assert isinstance(outcome, Refusal), f"{given} expected, not {outcome}"
        assert outcome.reason == given.reason
        assert outcome.replayed == expected.replayed
        assert outcome.metadata | given.metadata == outcome.metadata, given.metadata
    else:
        assert isinstance(outcome, Executed), f"{outcome} where an answer was expected: {given}"
        assert list(differences(outcome.answer, given)) == []
        assert outcome.replayed == expected.replayed


def stored(guest: Guest) -> list[tuple[object, ...]]:
    """The model's lots as they must be stored."""
    return [
        (lot.number, lot.asset, lot.amount, lot.left, lot.gone, lot.earned, lot.ends, lot.held)
        for lot in guest.lots
    ]
