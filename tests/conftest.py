"""What every test may ask for: databases, a broker, topics of its own, certificates."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from cli.local.certificates import ensure_certificates
from tests import servers, suites
from tests.databases import Lender, empty_database

_KEEPER = pytest.StashKey[servers.Keeper]()

# No test is about how long it takes: a busy machine must not make one fail.
settings.register_profile("suite", deadline=None)
# Mutants: failing is enough, all meet the same examples, and what few of them kill is gone sooner.
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.register_profile("mutants-first", settings.get_profile("mutants"), max_examples=20)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """Start the keeper of servers, in the run's controller only, unless the run wants none."""
    wanted = os.environ.get(servers.ADDRESS) != servers.NONE
    if wanted and not hasattr(config, "workerinput") and not config.option.collectonly:
        config.stash[_KEEPER] = servers.Keeper()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the keeper, also after Ctrl-C."""
    keeper = config.stash.get(_KEEPER, None)
    if keeper is not None:
        keeper.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have measured on the way: figures, not verdicts."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, figure in getattr(report, "user_properties", ()):
                if name == "measured" and report.when == "call":
                    terminalreporter.write_line(f"measured: {figure}")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one dear fixture on one worker, so that it is made once, and let it be."""
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name in suites.GROUPS:
                item.add_marker(pytest.mark.xdist_group(suites.GROUPS[name]))
                item.add_marker(pytest.mark.timeout(suites.TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A server where databases may be made: DATABASE_URL, or the run's own."""
    return os.environ.get("DATABASE_URL") or servers.address_of("postgres")


@pytest.fixture(scope="session")
def lender(postgres_url: str) -> Iterator[Lender]:
    """Migrated databases, one after the other as good as new; a worker's own."""
    lender = Lender(postgres_url)
    yield lender
    lender.close()


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A fresh, empty database, dropped afterwards with whoever is still connected."""
    with empty_database(postgres_url) as url:
        yield url


@pytest.fixture
def database_url(empty_database_url: str) -> str:
    """The test's own database: empty, or what a folder's conftest says."""
    return empty_database_url


@pytest.fixture(scope="session")
def kafka_bootstrap() -> str:
    """A broker: KAFKA_BOOTSTRAP, or the run's own."""
    return os.environ.get("KAFKA_BOOTSTRAP") or servers.address_of("kafka")


@pytest.fixture
def topic_prefix() -> str:
    """What the names of a test's topics and groups begin with, so that tests can't meet."""
    return f"t{uuid.uuid4().hex[:12]}."


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem and NAME.pem, NAME.key for each caller name."""
    return ensure_certificates(tmp_path_factory.mktemp("certificates") / "certs")
