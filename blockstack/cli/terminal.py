"""What people read: tables on standard output, lines on standard error."""

import os
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from blockstack.base.harmless import for_terminal


class Terminal(Console):
    """A console on which no text that it is given can act: names stand there, nothing more."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich does; its own control codes are kept."""
        for segment in super().render(renderable, options):
            yield (
                segment if segment.control else Segment(for_terminal(segment.text), segment.style)
            )


def printer() -> Console:
    """The terminal's width; piped, what COLUMNS says, else wide enough for every table."""
    if sys.stdout is not None and sys.stdout.isatty():
        return Terminal()
    columns = os.environ.get("COLUMNS", "")
    return Terminal(width=int(columns) if columns.isdecimal() and int(columns) else 160)


def errors() -> Console:
    """Standard error."""
    return Terminal(stderr=True, highlight=False)


def say(line: Text | str, style: str = "") -> None:
    """One line on standard error, never wrapped: who pipes it gets it whole."""
    text = Text(line, style) if isinstance(line, str) else line
    text.plain = text.plain.replace("\n", "\u240a")
    errors().print(text, soft_wrap=True)
