"""Handing a message to a provider: what is handed over, and what the provider may answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.notify.domain.messages import Channel, Purpose, State
from services.notify.domain.receipts import Receipt
from services.notify.domain.templates import Rendered


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this process may send until its lease ends.

    `state` is the one it was found in: SUBMITTING means that an earlier submission is in doubt.
    `attempts` counts this claim too and fences reports of earlier ones.
    """

    member_id: UUID
    message_id: UUID
    channel: Channel
    template_code: str
    purpose: Purpose
    variables: Mapping[str, Any]
    state: State
    attempts: int
    queued_at: datetime
    traceparent: str


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    """What a provider is given. Never logged: it has no repr."""

    message_id: UUID
    destination: str
    text: Rendered


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it; `part_ids` are its names of an SMS's parts."""

    part_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider did not take it; `permanent` when asking again would be of no use."""

    reason: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class InDoubt:
    """It was handed over and no answer came."""


@dataclass(frozen=True, slots=True)
class NotSubmitted:
    """The provider was away before anything of it was handed over."""


Submitted = Accepted | Refused | InDoubt | NotSubmitted


class Provider(Protocol):
    """A way to guests. Any number of `submit` may run at once; each ends in bounded time."""

    @property
    def name(self) -> str:
        """What its parts and receipts are known by."""
        ...

    async def ready(self) -> None:
        """Return once submissions make sense; waits without limit while the provider is away."""
        ...

    async def submit(self, letter: Letter) -> Submitted:
        """Hand one message over; never raises for what a provider or a network does."""
        ...


ReceiptSink = Callable[[Sequence[Receipt]], Awaitable[None]]
"""Keeps receipts, raises when it can't; a provider's receipt is answered only after it returns."""
