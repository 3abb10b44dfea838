"""The console script `huitouke-points`."""

import gc


def main() -> None:
    """Load the points service and run one role of it; never returns, always exits."""
    gc.disable()  # until it runs: looking for garbage, of which there is none, is a fifth of it
    from services.points.main import main as run  # noqa: PLC0415 - only behind the line above

    run()
