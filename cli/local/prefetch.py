"""Fetches what the local servers need, so that later starts need no network."""

import sys

from cli.local import kafka, smsc
from cli.local.errors import LocalServerError


def main() -> None:
    """Say what is fetched; end with one line and code 1 when something is missing."""
    try:
        kafka.jars(_say)
        smsc.packages(_say)
    except LocalServerError as error:
        sys.exit(str(error))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
