"""A real Apache Kafka broker on loopback (KRaft, one node); its jars come once by Maven."""

import base64
import re
import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from string import Template

from cli.local.cache import Say, fetched, server_files, silent
from cli.local.child import Child
from cli.local.errors import LocalServerError
from cli.local.ports import LOOPBACK, is_open, require_free
from cli.local.waiting import wait_until_ready

VERSION = "4.3.1"
JAVA_OLDEST = 17
START_TIMEOUT_SECONDS = 90
STOP_TIMEOUT_SECONDS = 30
FETCH_TIMEOUT_SECONDS = 900
# A broker that lives for minutes never earns back what the optimising compiler costs: without it
# the start takes a quarter less CPU, and a trickle of small batches less than half.
_JAVA = ["java", "-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
_LOG_LEVELS = [
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",  # says when it serves
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
]
_STARTED = "Kafka Server started"


class KafkaBroker:
    """One broker with its logs in `data`; `port` serves clients, `controller_port` itself.

    It is a direct child process and ends when its starter does.
    """

    def __init__(
        self, data: Path, port: int, controller_port: int, log: Path, say: Say = silent
    ) -> None:
        self.port = port
        self._controller_port = controller_port
        self._data = data
        self._log = log
        self._say = say
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    name = "Kafka"

    def start(self) -> None:
        """Launch it and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it without waiting, after fetching its jars and formatting its data folder."""
        require_free(self.port, "Kafka")
        require_free(self._controller_port, "Kafka's controller")
        classpath = ["-cp", f"{jars(self._say)}/*"]
        properties = self._write_properties()
        if not (self._data / "logs" / "meta.properties").exists():
            self._format([*_JAVA, *classpath], properties)
        self._child = Child(
            "Kafka",
            [*_JAVA, *_LOG_LEVELS, *classpath, "kafka.Kafka", str(properties)],
            log=self._log,
        )

    def wait(self) -> None:
        """Return once it serves; LocalServerError says why it won't."""
        assert self._child is not None, "launch it first"
        wait_until_ready(self._child, self._answers, START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Stop cleanly; what was acknowledged is there after the next start."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, STOP_TIMEOUT_SECONDS)
            self._child = None

    def crash(self) -> None:
        """End it as a power cut would."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def _answers(self) -> bool:
        assert self._child is not None
        return _STARTED in self._child.output() and is_open(self.port)

    def _write_properties(self) -> Path:
        self._data.mkdir(parents=True, exist_ok=True)
        template = Template((server_files("kafka") / "server.properties").read_text())
        text = template.substitute(
            port=self.port, controller_port=self._controller_port, logs=self._data / "logs"
        )
        properties = self._data / "server.properties"
        properties.write_text(text)
        return properties

    def _format(self, java: list[str], properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        command = [*java, "kafka.tools.StorageTool", "format", "--standalone"]
        command += ["--ignore-formatted", f"--cluster-id={cluster}", "-c", str(properties)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise LocalServerError(
                f"Kafka couldn't format its data folder: {result.stderr.strip()[-500:]}",
                f"remove {self._data}",
            )


def jars(say: Say = silent) -> Path:
    """The folder with the broker's jars, fetched by Maven the first time."""
    _require_java()
    return fetched(f"kafka-{VERSION}", lambda folder: _fetch(folder, say))


def _fetch(folder: Path, say: Say) -> None:
    if shutil.which("mvn") is None:
        raise LocalServerError("Maven, which fetches Kafka, is missing", "apt-get install maven")
    say(f"fetching Kafka {VERSION} by Maven (44 MB, once)")
    command = ["mvn", "-q", "-B", "-f", str(server_files("kafka") / "pom.xml")]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=FETCH_TIMEOUT_SECONDS
    )
    if result.returncode != 0:
        said = (result.stdout + result.stderr).strip().splitlines()
        raise LocalServerError(
            f"Maven couldn't fetch Kafka: {said[0] if said else 'no output'}",
            "check the network or ~/.m2/settings.xml and run it again",
        )


def _require_java() -> None:
    mend = f"apt-get install openjdk-{JAVA_OLDEST}-jre-headless"
    if shutil.which("java") is None:
        raise LocalServerError(f"Java {JAVA_OLDEST}, which runs Kafka, is missing", mend)
    result = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', result.stderr)
    if found is None or int(found.group(1)) < JAVA_OLDEST:
        version = found.group(1) if found else "of unknown version"
        raise LocalServerError(f"Kafka needs Java {JAVA_OLDEST}; this is Java {version}", mend)
