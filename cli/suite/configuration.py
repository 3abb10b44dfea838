"""The environment of each process: the settings that make a development suite of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.local.environment import bare_environment
from cli.local.ports import LOOPBACK
from cli.suite.keys import DevelopmentKeys
from cli.suite.layout import BACKGROUND, Ports
from cli.suite.secrets import secrets_of


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the servers are that a suite's processes use, whoever started them.

    `postgres_url` names any database of the server; `smsc` is smpp://user:password@host:port,
    `smtp` is smtp://host:port.
    """

    postgres_url: str
    kafka_bootstrap: str
    smsc: str
    smtp: str
    topic_prefix: str = ""
    database_prefix: str = "huitouke_"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `environment` makes each process's settings from."""

    ports: Ports
    surroundings: Surroundings
    certificates: Path
    keys: DevelopmentKeys
    log_level: str = "info"
    background_niceness: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)

    def database(self, service: str) -> str:
        """The name of a service's database."""
        return f"{self.surroundings.database_prefix}{service}"

    def database_url(self, service: str) -> str:
        """The address of a service's database."""
        return in_database(self.surroundings.postgres_url, self.database(service))

    def environment(self, process: str, failpoints: str = "") -> dict[str, str]:
        """All of a process's environment, e.g. of `points.relay`."""
        service = process.partition(".")[0]
        own = {
            "DATABASE_URL": self.database_url(service),
            **secrets_of(service, self.keys),
            "TLS_CERTIFICATE_FILE": str(self.certificates / f"{service}.pem"),
            "TLS_KEY_FILE": str(self.certificates / f"{service}.key"),
            "TLS_CA_FILE": str(self.certificates / "ca.pem"),
            "LISTEN": self.ports.address(service),
            "METRICS_LISTEN": f"{LOOPBACK}:{self.ports.metrics.get(process, 0)}",
            **self._own(service),
        }
        if process in BACKGROUND:
            own["NICENESS"] = str(self.background_niceness)
        prefixed = {f"HUITOUKE_{service.upper()}_{name}": value for name, value in own.items()}
        return bare_environment(**self._shared(), **prefixed) | {
            **({"HUITOUKE_FAILPOINTS": failpoints} if failpoints else {}),
            **self.extra,
        }

    def _shared(self) -> dict[str, str]:
        return {
            "PYTHONUNBUFFERED": "1",
            "HUITOUKE_MODE": "development",
            "HUITOUKE_LOG_LEVEL": self.log_level,
            "HUITOUKE_KAFKA_BOOTSTRAP": self.surroundings.kafka_bootstrap,
            "HUITOUKE_TOPIC_PREFIX": self.surroundings.topic_prefix,
        }

    def _own(self, service: str) -> Mapping[str, str]:
        made = {
            "notify": self._notify,
            "gateway": self._gateway,
        }.get(service)
        return made() if made else {}

    def _notify(self) -> dict[str, str]:
        smsc, smtp = urlsplit(self.surroundings.smsc), urlsplit(self.surroundings.smtp)
        return {
            "MEMBER_TARGET": self.ports.address("member"),
            "SMPP_HOST": smsc.hostname or LOOPBACK,
            "SMPP_PORT": str(smsc.port),
            "SMPP_SYSTEM_ID": smsc.username or "",
            "SMPP_PASSWORD": smsc.password or "",
            "SMTP_HOST": smtp.hostname or LOOPBACK,
            "SMTP_PORT": str(smtp.port),
            "SMTP_CA_FILE": str(self.certificates / "ca.pem"),
            # On one machine a provider answers at once, and what a crash left in doubt need not
            # wait long.
            "PROVIDER_TIMEOUT_SECONDS": "4",
            "LEASE_SECONDS": "10",
        }

    def _gateway(self) -> dict[str, str]:
        return {
            "ADMIN_LISTEN": self.ports.admin_address,
            "MEMBER_TARGET": self.ports.address("member"),
            "POINTS_TARGET": self.ports.address("points"),
            "COUPON_TARGET": self.ports.address("coupon"),
        }


def in_database(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    address, _, query = url.partition("?")
    scheme, _, rest = address.partition("://")
    server = rest.partition("/")[0]
    return f"{scheme}://{server}/{name}" + (f"?{query}" if query else "")
