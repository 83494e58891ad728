"""Child processes that end with their parent, even when it is killed.

Also a program run by its path: it ties itself to its parent, then becomes the command it was given.
That is safe in a process with threads, where `preexec_fn` is not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
KILL = 9


def tied(command: Sequence[str]) -> list[str]:
    """Return ``command`` so that it is killed when the thread that starts it ends (Linux).

    Elsewhere it runs untied: the caller ends it. A command that cannot be started says so on
    stderr and exits with 127.
    """
    # Isolated and without site packages, this costs about ten milliseconds.
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def _tie(parent: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, KILL)
    # The parent may have died before the line above: then no signal will come.
    if os.getppid() != parent:
        sys.exit(1)


def main(parent: int, command: Sequence[str]) -> None:
    """Tie this process to ``parent`` and become ``command``."""
    _tie(parent)
    try:
        os.execvp(command[0], list(command))  # noqa: S606  (our own arguments, no shell)
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
