"""The fault that keeps a process from starting: one line that names the culprit and the way out."""


class StartupError(Exception):
    """Something this process can't start without is missing, taken or wrong.

    The text is for the person who starts it: what, where, and what mends it. `run_roles` prints it
    as one line without a traceback and exits with code 3.
    """
