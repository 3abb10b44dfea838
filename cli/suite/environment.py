"""The suite that environment variables describe, as `huitouke up` and `huitouke demo` start it."""

import os
from pathlib import Path

from rich.console import Console

from cli.suite.layout import BACKGROUND_NICENESS, Ports
from cli.suite.suite import Suite


def suite_from_environment(state: Path, port_base: int, console: Console, *, echo: bool) -> Suite:
    """A suite, not started yet; with `echo` every line of its log goes to the console as well.

    DATABASE_URL, KAFKA_BOOTSTRAP, SMSC and SMTP name servers to use instead of starting them;
    HUITOUKE_TOPIC_PREFIX and HUITOUKE_DATABASE_PREFIX keep suites apart that share servers.
    """
    return Suite(
        state,
        ports=Ports.from_base(port_base) if port_base else Ports.by_default(),
        postgres_url=os.environ.get("DATABASE_URL", ""),
        kafka_bootstrap=os.environ.get("KAFKA_BOOTSTRAP", ""),
        smsc=os.environ.get("SMSC", ""),
        smtp=os.environ.get("SMTP", ""),
        topic_prefix=os.environ.get("HUITOUKE_TOPIC_PREFIX", ""),
        database_prefix=os.environ.get("HUITOUKE_DATABASE_PREFIX", "huitouke_"),
        background_niceness=BACKGROUND_NICENESS,
        say=lambda line: console.print(line, highlight=False),
        echo=_print_line if echo else None,
    )


def _print_line(line: str) -> None:
    print(line, flush=True)
