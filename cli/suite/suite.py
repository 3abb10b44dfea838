"""The running suite: servers, databases, topics and processes, begun and ended together."""

import fcntl
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from chassis.messaging.creation import ensure_topics
from chassis.messaging.topics import all_topics
from cli.endpoints import FILE as ENDPOINTS_FILE
from cli.endpoints import Endpoints
from cli.local import smsc as smsc_defaults
from cli.local.cache import Say, silent
from cli.local.certificates import ensure_certificates
from cli.local.errors import LocalServerError
from cli.local.kafka import KafkaBroker
from cli.local.mail import MailSink
from cli.local.ports import LOOPBACK, require_free
from cli.local.postgres import PostgresServer, ensure_database
from cli.local.smsc import ShortMessageCentre
from cli.suite.configuration import Configuration, Surroundings
from cli.suite.keys import DevelopmentKeys
from cli.suite.layout import PROCESSES, SERVICES, Ports
from cli.suite.logs import MergedLog
from cli.suite.processes import SuiteProcess, migrate_all


class LocalServer(Protocol):
    """What the suite needs of a server that it starts itself."""

    name: str

    @property
    def pid(self) -> int | None: ...
    def launch(self) -> None: ...
    def wait(self) -> None: ...
    def stop(self) -> None: ...


class Suite:
    """All of Huitouke on this machine, with everything it keeps in the folder `state`.

    Servers whose address is given aren't started: `postgres_url` (any database of the server;
    the suite makes its own there), `kafka_bootstrap`, `smsc` (smpp://user:password@host:port),
    `smtp` (smtp://host:port). `topic_prefix` and `database_prefix` keep suites apart that share
    servers. `services` leaves others out; `environment` is added to every process's.
    `background_niceness` is how far the processes stand back that nobody waits for.

    Start, restart and revive it from the thread that will live longest: the kernel ends the
    processes when that thread ends.
    """

    def __init__(
        self,
        state: Path,
        *,
        ports: Ports | None = None,
        postgres_url: str = "",
        kafka_bootstrap: str = "",
        smsc: str = "",
        smtp: str = "",
        topic_prefix: str = "",
        database_prefix: str = "huitouke_",
        services: Sequence[str] = tuple(SERVICES),
        environment: Mapping[str, str] | None = None,
        log_level: str = "info",
        background_niceness: int = 0,
        say: Say = silent,
        echo: Callable[[str], None] | None = None,
    ) -> None:
        self.state = state.resolve()
        self.ports = ports or Ports.by_default()
        self.services = tuple(services)
        self._say = say
        self._lock: TextIO | None = None
        self._logs = self.state / "logs"
        self.log = self.state / "huitouke.log"
        self._merged = MergedLog(self._logs, self.log, echo)
        certificates = self.state / "certs"
        self.postgres = None if postgres_url else self._postgres()
        self.kafka = None if kafka_bootstrap else self._kafka()
        self.smsc = None if smsc else self._smsc()
        self.mail = None if smtp else self._mail(certificates)
        self._surroundings = Surroundings(
            postgres_url=postgres_url or f"postgresql://postgres@{LOOPBACK}:{self.ports.postgres}",
            kafka_bootstrap=kafka_bootstrap or f"{LOOPBACK}:{self.ports.kafka}",
            smsc=smsc or _smsc_url(self.ports.smsc),
            smtp=smtp or f"smtp://{LOOPBACK}:{self.ports.mail}",
            topic_prefix=topic_prefix,
            database_prefix=database_prefix,
        )
        self._certificates = certificates
        self._environment = dict(environment or {})
        self._log_level = log_level
        self._background_niceness = background_niceness
        self.configuration: Configuration
        self.armed: set[str] = set()
        """Names of the processes that were last started with failpoints."""
        self.processes = {
            name: SuiteProcess(
                name,
                self.ports.metrics[name],
                self._logs / f"{name}.log",
                self.ports.listened_by(name),
            )
            for name in PROCESSES
            if name.partition(".")[0] in self.services
        }

    @property
    def servers(self) -> list[LocalServer]:
        """The servers that this suite runs itself."""
        candidates: list[LocalServer | None] = [self.kafka, self.postgres, self.smsc, self.mail]
        return [server for server in candidates if server is not None]

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is, for whoever calls the suite."""
        return Endpoints(
            partner=self.ports.address("gateway"),
            admin=self.ports.admin_address,
            member=self.ports.address("member"),
            points=self.ports.address("points"),
            coupon=self.ports.address("coupon"),
            notify=self.ports.address("notify"),
            kafka_bootstrap=self._surroundings.kafka_bootstrap,
            topic_prefix=self._surroundings.topic_prefix,
            certificates=str(self._certificates),
            sms_spool=str(self.smsc.spool) if self.smsc else "",
            mail_spool=str(self.mail.spool) if self.mail else "",
        )

    def start(self, failpoints: Mapping[str, str] | None = None) -> None:
        """Start everything and return when all of it serves; if something can't, stop the rest.

        `failpoints` arms places by process: {"gateway.serve": "gateway.checkout.reserved=kill"}.
        """
        self._take_state()
        try:
            self._require_ports()
            self._start_servers()
            self._start_processes(failpoints or {})
            self.endpoints.save(self.state)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Drain and stop everything that this suite started, and nothing else."""
        self._forget_endpoints()
        for process in self.processes.values():
            process.begin_stop()
        for process in self.processes.values():
            process.finish_stop()
        for server in reversed(self.servers):
            server.stop()
        self._leave_state()

    def stop_process(self, name: str) -> None:
        """Let one process drain and end."""
        self.processes[name].stop()

    def kill(self, name: str) -> None:
        """End one process as a power cut would."""
        self.processes[name].kill()

    def start_process(self, name: str, failpoints: str = "") -> None:
        """Start a process that has been stopped, killed or has died; wait until it serves."""
        self.launch_process(name, failpoints)
        self.processes[name].wait()

    def launch_process(self, name: str, failpoints: str = "") -> None:
        """Start it without waiting, for one that may die before it serves."""
        self.processes[name].launch(self.configuration.environment(name, failpoints))
        (self.armed.add if failpoints else self.armed.discard)(name)

    def restart(self, name: str, failpoints: str = "") -> None:
        """Stop it if it runs, and start it, with these failpoints armed."""
        self.processes[name].stop()
        self.start_process(name, failpoints)

    def revive(self) -> list[str]:
        """Start again what has died by itself, without failpoints; the names of those."""
        revived = [
            name
            for name, process in self.processes.items()
            if process.revive(self.configuration.environment(name))
        ]
        self.armed.difference_update(revived)
        return revived

    def database_url(self, service: str) -> str:
        """A service's database, for whoever checks the books behind its back."""
        return self.configuration.database_url(service)

    def _start_servers(self) -> None:
        self._merged.start()
        ensure_certificates(self._certificates)
        self.configuration = Configuration(
            self.ports,
            self._surroundings,
            self._certificates,
            DevelopmentKeys(self.state / "development.key"),
            self._log_level,
            self._background_niceness,
            self._environment,
        )
        for server in self.servers:
            self._say(f"starting {server.name}")
            server.launch()
        if self.postgres is not None:
            self.postgres.wait()
        self._migrate()
        for server in self.servers:
            server.wait()
        ensure_topics(
            self._surroundings.kafka_bootstrap, all_topics(self._surroundings.topic_prefix)
        )

    def _migrate(self) -> None:
        self._say("preparing databases")
        for service in self.services:
            ensure_database(self._surroundings.postgres_url, self.configuration.database(service))
        environments = {
            service: self.configuration.environment(f"{service}.migrate")
            for service in self.services
        }
        migrate_all(environments, self._logs)

    def _start_processes(self, failpoints: Mapping[str, str]) -> None:
        self._say(f"starting {len(self.processes)} processes")
        for name in self.processes:
            self.launch_process(name, failpoints.get(name, ""))
        for process in self.processes.values():
            process.wait()

    def _require_ports(self) -> None:
        for service in self.services:
            require_free(self.ports.grpc[service], f"the {service} service")
        for name in self.processes:
            require_free(self.ports.metrics[name], f"the metrics of {name}")
        if "gateway" in self.services:
            require_free(self.ports.gateway_admin, "the gateway's administration")

    def _take_state(self) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        lock = (self.state / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise LocalServerError(
                f"a suite already runs in {self.state} (process {holder})",
                "stop it, or choose another folder with `huitouke up --state FOLDER`",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        self._forget_endpoints()  # of a suite that was killed: nobody is to call what isn't there

    def _forget_endpoints(self) -> None:
        (self.state / ENDPOINTS_FILE).unlink(missing_ok=True)

    def _leave_state(self) -> None:
        if self._lock is not None:
            self._merged.stop()
            self._lock.close()
            self._lock = None

    def _postgres(self) -> PostgresServer:
        return PostgresServer(
            self.state / "postgres", self.ports.postgres, self._logs / "postgres.log"
        )

    def _kafka(self) -> KafkaBroker:
        ports = (self.ports.kafka, self.ports.kafka_controller)
        return KafkaBroker(self.state / "kafka", *ports, self._logs / "kafka.log", self._say)

    def _smsc(self) -> ShortMessageCentre:
        ports = (self.ports.smsc, self.ports.smsc_control)
        spool = self.state / "spool" / "sms.jsonl"
        return ShortMessageCentre(*ports, spool, self._logs / "smsc.log", self._say)

    def _mail(self, certificates: Path) -> MailSink:
        spool = self.state / "spool" / "mail.jsonl"
        return MailSink(self.ports.mail, spool, certificates, self._logs / "mail.log")


def forget(state: Path) -> None:
    """Remove a stopped suite's data, so that the next start begins with empty databases."""
    shutil.rmtree(state, ignore_errors=True)


def _smsc_url(port: int) -> str:
    return f"smpp://{smsc_defaults.SYSTEM_ID}:{smsc_defaults.PASSWORD}@{LOOPBACK}:{port}"
