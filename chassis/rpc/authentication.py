"""Who calls: the certificate's name between services, or what an edge's own authenticator says."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol, TypeAlias

import grpc

from chassis.kernel.refusals import Category, Refusal
from chassis.rpc.calls import NOBODY, Actor
from chassis.rpc.tls import CALLER_DOMAIN

SUITE_CALLERS: Final = frozenset({"gateway", "member", "points", "coupon", "notify", "operator"})
"""The names that certificates of the suite carry; `operator` is a person with the command line."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The authenticated caller.

    `caller` is the name that request ids, logs and records are kept under; `listed_as` is the name
    looked for in the allow-list (a service's own name, or a class such as "merchant");
    `principal` goes to `Call.principal` untouched. `actor` is on whose behalf the caller calls, as
    far as the authenticator has made sure of it; `relays_actor` says that the caller is a service
    of the suite, whose word for the actor (metadata) is believed.
    """

    caller: str
    listed_as: str
    principal: object = None
    actor: Actor = NOBODY
    relays_actor: bool = False


Metadata = Iterable[tuple[str, str | bytes]]
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Authenticator(Protocol):
    """Answers who calls, or raises a Refusal (UNAUTHENTICATED); may do I/O, runs first of all."""

    async def __call__(self, context: Context, metadata: Metadata) -> Identity: ...


async def mtls_authenticator(context: Context, metadata: Metadata) -> Identity:  # noqa: ARG001
    """The first label of the client certificate's name `<caller>.huitouke.internal`.

    The certificate chain was verified in the TLS handshake; here only its name is read.
    """
    identity = _identity_of(tuple(context.peer_identities() or ()))
    if identity is None:
        raise Refusal(
            Category.UNAUTHENTICATED,
            "UNAUTHENTICATED",
            f"show a client certificate for <caller>.{CALLER_DOMAIN}",
        )
    return identity


@lru_cache(maxsize=1024)
def _identity_of(names: tuple[bytes, ...]) -> Identity | None:
    suffix = f".{CALLER_DOMAIN}"
    for raw in names:
        name = raw.decode("ascii", "replace")
        if name.endswith(suffix) and "." not in (label := name.removesuffix(suffix)) and label:
            return Identity(caller=label, listed_as=label, relays_actor=True)
    return None


def equal_in_constant_time(left: bytes, right: bytes) -> bool:
    """Equality whose duration tells nothing of where two secrets or digests differ."""
    return hmac.compare_digest(left, right)
