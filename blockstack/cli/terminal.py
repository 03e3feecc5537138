"""What people read: tables on standard output, lines on standard error."""

import os
import sys

from rich.console import Console
from rich.text import Text


def printer() -> Console:
    """The terminal's width; piped, what COLUMNS says, else wide enough for every table."""
    if sys.stdout is not None and sys.stdout.isatty():
        return Console()
    columns = os.environ.get("COLUMNS", "")
    return Console(width=int(columns) if columns.isdecimal() and int(columns) else 160)


def errors() -> Console:
    """Standard error."""
    return Console(stderr=True, highlight=False)


def say(line: Text | str, style: str = "") -> None:
    """One line on standard error, never wrapped: who pipes it gets it whole."""
    errors().print(Text(line, style) if isinstance(line, str) else line, soft_wrap=True)
