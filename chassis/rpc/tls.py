"""Transport credentials from PEM texts: who a server is, whom it asks for a certificate."""

from dataclasses import dataclass, field
from typing import Final

import grpc

CALLER_DOMAIN: Final = "huitouke.internal"


def server_name(caller: str) -> str:
    """The DNS name in the certificate of the process that is called `caller`."""
    return f"{caller}.{CALLER_DOMAIN}"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """A server's certificate chain and key, PEM.

    `client_ca` set: every client must show a certificate of that authority (mTLS, the rule between
    services). None: the partners' port, where API keys authenticate.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None = None

    def credentials(self) -> grpc.ServerCredentials:
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)],
            root_certificates=self.client_ca,
            require_client_auth=self.client_ca is not None,
        )


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client shows and whom it trusts, PEM; certificate and key are None for partners."""

    ca: bytes
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(
            root_certificates=self.ca,
            private_key=self.key,
            certificate_chain=self.certificate,
        )
