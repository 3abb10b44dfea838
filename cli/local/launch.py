"""Becomes another program that can't outlive its starter; run as a bare script, never imported.

Usage: launch.py STARTER_PID DEATH_SIGNAL USER|- PROGRAM [ARGUMENT...]

The kernel sends DEATH_SIGNAL to the program when the thread that started it ends. That can't be
set between fork and exec of a threaded parent safely, hence this step in between.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    starter, death_signal, user, *command = sys.argv[1:]
    if user != "-":
        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":  # elsewhere a killed starter leaves its children behind
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(starter):
            sys.exit(f"{command[0]}: whoever started this has gone")
    os.execvp(command[0], command)  # noqa: S606 - there is nothing for a shell to do


main()
