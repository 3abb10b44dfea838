"""What is known of the call being served: who asks, until when, for which till, on which trace."""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from time import monotonic

TRACEPARENT_KEY = "traceparent"
REPLAYED_KEY = "huitouke-replayed"
MERCHANT_KEY = "huitouke-actor-merchant-id"
TERMINAL_KEY = "huitouke-actor-terminal-id"
STAFF_KEY = "huitouke-actor-staff-id"
_ACTOR_KEYS = frozenset({MERCHANT_KEY, TERMINAL_KEY, STAFF_KEY})


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or till on whose behalf a service calls; empty strings where nobody is named.

    Only the gateway sets it, from what it has authenticated; services pass it on unchanged and
    believe it because the calling service was authenticated by its certificate. From anybody else
    the metadata is ignored.
    """

    merchant_id: str = ""
    terminal_id: str = ""
    staff_id: str = ""

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata pairs that carry this actor to the next service, absent ones left out."""
        pairs = (
            (MERCHANT_KEY, self.merchant_id),
            (TERMINAL_KEY, self.terminal_id),
            (STAFF_KEY, self.staff_id),
        )
        return tuple(pair for pair in pairs if pair[1])


NOBODY = Actor()


@dataclass(slots=True)
class Call:
    """One call being served.

    `caller` is the authenticated name: a service's name by its certificate, or what the gateway's
    own authenticator answers. `principal` is whatever that authenticator attached (the gateway:
    its merchant with scopes). `deadline_monotonic` is in seconds of `time.monotonic()`.
    `traceparent` is a W3C header, always set: a call that came without one starts a trace.
    `may_hold_nul` is false where the request's bytes have no zero, so that no text of it has one.
    """

    caller: str
    method: str
    deadline_monotonic: float
    traceparent: str = ""
    actor: Actor = NOBODY
    principal: object = None
    replayed: bool = False
    may_hold_nul: bool = True

    def remaining_seconds(self) -> float:
        """Seconds until the caller stops waiting, never below zero."""
        return max(0.0, self.deadline_monotonic - monotonic())


_current: ContextVar[Call | None] = ContextVar("huitouke_call", default=None)


def current_call() -> Call:
    """The call being served by this task; LookupError outside of one."""
    call = _current.get()
    if call is None:
        raise LookupError("no call is being served here; pass what is needed as arguments")
    return call


def find_current_call() -> Call | None:
    """The call being served by this task, or None in jobs, consumers and scripts."""
    return _current.get()


def enter_call(call: Call) -> Token[Call | None]:
    """Make `call` the current one of this task; for the server and for tests of servicers."""
    return _current.set(call)


def leave_call(token: Token[Call | None]) -> None:
    """Undo `enter_call`."""
    _current.reset(token)


def mark_replayed() -> None:
    """Mark the answer of this call as remembered: trailing metadata `huitouke-replayed: true`."""
    current_call().replayed = True


def actor_from(metadata: Iterable[tuple[str, str | bytes]]) -> Actor:
    """The actor carried in `metadata`; NOBODY where none is named."""
    found = {key: value for key, value in metadata if key in _ACTOR_KEYS}
    if not found:
        return NOBODY
    return Actor(
        merchant_id=str(found.get(MERCHANT_KEY, "")),
        terminal_id=str(found.get(TERMINAL_KEY, "")),
        staff_id=str(found.get(STAFF_KEY, "")),
    )
