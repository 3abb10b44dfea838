"""What the suite consists of on one machine: its processes and where each of them listens."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cli.local.ports import LOOPBACK, free_ports

SERVICES: Mapping[str, tuple[str, ...]] = {
    "member": ("serve", "relay", "work"),
    "points": ("serve", "relay", "work"),
    "coupon": ("serve", "relay", "work"),
    "notify": ("serve", "relay", "consume", "work"),
    "gateway": ("serve", "relay", "work"),
}
"""Each service's processes; one is called `<service>.<role>`, such as `points.relay`."""

PROCESSES: tuple[str, ...] = tuple(
    f"{service}.{role}" for service, roles in SERVICES.items() for role in roles
)
BACKGROUND_NICENESS = 10
BACKGROUND: frozenset[str] = frozenset(
    {
        "notify.consume",
        "notify.work",
        "member.work",
        "coupon.work",
        *(process for process in PROCESSES if process.endswith(".relay")),
    }
)
"""Processes that nobody waits for: in a rush messages and events may be late, tills may not."""
DEFAULT_BASE = 9440
_GRPC = ("gateway", "member", "points", "coupon", "notify")
_METRICS_OFFSETS = {"serve": 100, "relay": 200, "consume": 300, "work": 400}


@dataclass(frozen=True, slots=True)
class Ports:
    """The suite's ports, all on loopback. `metrics` is by process name."""

    grpc: Mapping[str, int]
    gateway_admin: int
    metrics: Mapping[str, int] = field(repr=False)
    postgres: int = 15432
    kafka: int = 19092
    kafka_controller: int = 19093
    smsc: int = 12775
    smsc_control: int = 12776
    mail: int = 12525

    @classmethod
    def by_default(cls) -> "Ports":
        """The gateway on 9440, its administration on 9450, the services from 9441 on."""
        grpc = {service: DEFAULT_BASE + index for index, service in enumerate(_GRPC)}
        return cls(grpc, DEFAULT_BASE + 10, _metrics(grpc))

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Everything between `base` and `base` + 499, the gateway on `base` itself."""
        grpc = {service: base + index for index, service in enumerate(_GRPC)}
        servers = (base + 20, base + 21, base + 22, base + 23, base + 24, base + 25)
        return cls(grpc, base + 10, _metrics(grpc), *servers)

    @classmethod
    def free(cls) -> "Ports":
        """Ports nobody uses now, for tests that run beside each other."""
        free = iter(free_ports(len(_GRPC) + 1 + len(PROCESSES) + 6))
        grpc = {service: next(free) for service in _GRPC}
        admin = next(free)
        return cls(grpc, admin, {process: next(free) for process in PROCESSES}, *free)

    def address(self, service: str) -> str:
        """host:port of a service's gRPC server."""
        return f"{LOOPBACK}:{self.grpc[service]}"

    def listened_by(self, process: str) -> tuple[int, ...]:
        """The gRPC ports of a process: none unless it serves, two for the gateway."""
        service, _, role = process.partition(".")
        if role != "serve":
            return ()
        admin = (self.gateway_admin,) if service == "gateway" else ()
        return (self.grpc[service], *admin)

    @property
    def admin_address(self) -> str:
        return f"{LOOPBACK}:{self.gateway_admin}"


def _metrics(grpc: Mapping[str, int]) -> dict[str, int]:
    return {
        f"{service}.{role}": grpc[service] + _METRICS_OFFSETS[role]
        for service, roles in SERVICES.items()
        for role in roles
    }
