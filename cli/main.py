"""The `huitouke` command. Its subcommands are imported only when they run."""

import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from cli.local.errors import LocalServerError

DEFAULT_STATE = Path(".huitouke")
DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
REJECTED_ROWS = 3
"""Exit code of an import that finished without some of its rows."""

app = typer.Typer(
    name="huitouke",
    help="Huitouke on this machine: start the suite, show it, feed it, check its books.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
events = typer.Typer(help="The suite's events.", no_args_is_help=True)
app.add_typer(events, name="events")

State = Annotated[
    Path, typer.Option("--state", help="Folder of the suite's data, logs and certificates.")
]
PortBase = Annotated[
    int, typer.Option("--port-base", help="First of 500 ports to use; 0 means the usual ones.")
]


@app.command()
def up(
    state: State = DEFAULT_STATE,
    port_base: PortBase = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove what is in the state folder first.")
    ] = False,
) -> None:
    """Start the whole suite and keep it running until Ctrl-C.

    Existing servers are used where DATABASE_URL, KAFKA_BOOTSTRAP, SMSC (smpp://user:password@
    host:port) or SMTP (smtp://host:port) say so; everything else is started on loopback.
    """
    from cli.up import run

    run(state, port_base, fresh=fresh)


@app.command()
def demo(state: State = DEFAULT_STATE, port_base: PortBase = 0) -> None:
    """Tell a hotel's day against the running suite, or against one started for it.

    Exits with 1 when anything was not as it must be.
    """
    from rich.console import Console

    from cli.demo.command import demo as tell
    from cli.session import a_suite

    console = Console()
    with a_suite(state, port_base, console) as endpoints:
        _finish(tell(endpoints, console))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="The bookings file (CSV, also gzipped).")],
    state: State = DEFAULT_STATE,
    port_base: PortBase = 0,
    rate: Annotated[str, typer.Option(help="Fen for one euro, the file's currency.")] = "780",
    in_flight: Annotated[int, typer.Option(help="Calls under way at once.", min=1, max=512)] = 64,
) -> None:
    """Replay a hotel's bookings through the gateway, then compare the ledger with the file.

    It may be interrupted and run again: nothing is booked twice. Exits with 1 when ledger and
    file differ.
    """
    from rich.console import Console

    from cli.replay.command import replay as run
    from cli.session import a_suite

    console = Console()
    with a_suite(state, port_base, console) as endpoints:
        _finish(run(endpoints, file, console, Decimal(rate), in_flight))


@app.command()
def books(state: State = DEFAULT_STATE) -> None:
    """Check the running suite's books across its services; exits with 1 when they differ."""
    from rich.console import Console

    from cli.books import books_table, check_books
    from cli.endpoints import Endpoints

    checks = check_books(Endpoints.load(state))
    Console().print(books_table(checks))
    _finish(all(check.holds for check in checks))


Since = Annotated[
    datetime | None,
    typer.Option("--from", formats=DATES, help="Beginning, included, by the clock of Shanghai."),
]
Before = Annotated[
    datetime | None,
    typer.Option("--to", formats=DATES, help="End, excluded, by the clock of Shanghai."),
]


@app.command()
def statement(
    member_id: Annotated[UUID, typer.Argument(metavar="MEMBER", help="The member's id.")],
    state: State = DEFAULT_STATE,
    since: Since = None,
    before: Before = None,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV instead of a table.")] = False,
) -> None:
    """Show a member's postings, principal and gift apart, with opening and closing balances."""
    from rich.console import Console

    from cli.endpoints import Endpoints
    from cli.reports.statement import ask_statement, statement_table, write_csv

    parts = ask_statement(Endpoints.load(state), str(member_id), since, before, as_csv=csv)
    if csv:
        write_csv(parts)
    else:
        Console().print(statement_table(str(member_id), parts))


@app.command()
def liability(
    state: State = DEFAULT_STATE,
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=DATES, help="A past instant, by the clock of Shanghai."),
    ] = None,
) -> None:
    """Show what is owed to members: by source, rule, month of earning and of expiry."""
    from rich.console import Console

    from cli.endpoints import Endpoints
    from cli.reports.liability import ask_liability, show_liability

    show_liability(ask_liability(Endpoints.load(state), as_of), Console())


@app.command("trial-balance")
def trial_balance(state: State = DEFAULT_STATE, since: Since = None, before: Before = None) -> None:
    """Show how every account moved in a period; exits with 1 when the sides don't agree."""
    from rich.console import Console

    from cli.endpoints import Endpoints
    from cli.reports.trial_balance import ask_trial_balance, trial_balance_table

    found = ask_trial_balance(Endpoints.load(state), since, before)
    Console().print(trial_balance_table(found))
    _finish(found.balanced)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The opening balances (CSV, also gzipped).")],
    import_id: Annotated[
        UUID, typer.Option(help="The import's id, chosen once for all its files and tries.")
    ],
    state: State = DEFAULT_STATE,
    again: Annotated[
        bool, typer.Option("--again", help="Send every row, also those that are in already.")
    ] = False,
    time_zone: Annotated[
        str, typer.Option(help="The zone whose days dates without an hour are.")
    ] = "Asia/Shanghai",
    rejected: Annotated[
        Path | None, typer.Option(help="Where rejected rows go; beside the file if not said.")
    ] = None,
) -> None:
    """Bring opening balances of another system into the running suite's ledger.

    It may be interrupted and run again: nothing is brought in twice. Columns: reference, member_id,
    asset, amount, earned_at, expires_at. Exits with 3 when rows were rejected, with 1 when it could
    not finish.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from rich.console import Console

    from cli.endpoints import Endpoints
    from cli.importing.command import import_balances

    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"{time_zone} is no IANA time zone") from None
    whole = import_balances(
        Endpoints.load(state),
        file,
        import_id,
        Console(),
        zone=zone,
        again=again,
        report=rejected or file.with_name(f"{file.name}.rejected.csv"),
    )
    if not whole:
        raise typer.Exit(REJECTED_ROWS)


@events.command("tail")
def tail(
    services: Annotated[
        list[str] | None, typer.Argument(help="Whose events; all services' if none is named.")
    ] = None,
    state: State = DEFAULT_STATE,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest event kept.")
    ] = False,
) -> None:
    """Show the running suite's events as they come, until Ctrl-C."""
    from rich.console import Console

    from cli.endpoints import Endpoints
    from cli.tail import tail_events

    tail_events(Endpoints.load(state), Console(), services or (), from_earliest=from_start)


@app.command()
def prepare(
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    postgres_host: Annotated[
        str, typer.Option(help="host:port of PostgreSQL as the containers see it.")
    ] = "postgres:5432",
) -> None:
    """Write development certificates and keys as files, for deploy/compose.yaml."""
    from cli.suite.secrets import write_secret_files

    write_secret_files(folder, postgres_host)


def _finish(well: bool) -> None:
    if not well:
        raise typer.Exit(1)


def main() -> None:
    """Run the command; what is wrong with machine or file is said in one line, with exit code 1."""
    try:
        app()
    except LocalServerError as error:
        sys.exit(f"huitouke: {error}")
    except Exception as error:
        if not _is_for_people(error):
            raise
        sys.exit(f"huitouke: {error}")


def _is_for_people(error: Exception) -> bool:
    """Whether the text is meant for whoever sits there; the classes are loaded if at all."""
    meant = {
        ("cli.clients", "Refused"),
        ("cli.replay.bookings", "UnreadableFile"),
        ("cli.importing.rows", "UnreadableFile"),
    }
    return (type(error).__module__, type(error).__qualname__) in meant


if __name__ == "__main__":
    main()
