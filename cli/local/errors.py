"""What can be wrong with a machine, said in one line with the way to mend it."""


class LocalServerError(Exception):
    """A local server can't run here.

    Args:
        cause: what is wrong, in words of whoever sits at the machine.
        mend: the command or change that mends it; empty when the cause says it already.
    """

    def __init__(self, cause: str, mend: str = "") -> None:
        super().__init__(f"{cause}: {mend}" if mend else cause)
        self.cause = cause
        self.mend = mend
