"""The command line: a thin pipe from files to calls, tables and exit status.

Exit status: 0 fits, 1 the asked limit is passed, 2 bad input, 3 cannot tell, 70 a bug of ours,
130 interrupted (`boundary`).
"""

import signal
import sys

from blockstack.cli.application import app
from blockstack.cli.boundary import exit_status

__all__ = ["app", "main"]


def main() -> None:
    """Entry point of the ``blockstack`` command."""
    if hasattr(signal, "SIGPIPE"):  # a reader that has seen enough (head, less) is no error
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(exit_status(app))
