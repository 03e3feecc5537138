"""What a result says of itself: one line, a text, a page's fragment for notebooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from blockstack.base.harmless import for_terminal

#: bars of a fragment: fits, overflows, cannot tell (Okabe and Ito's palette, colour-blind safe)
_COLOURS = {True: "#0072B2", False: "#D55E00", None: "#999999"}
#: rows that a text or a fragment shows; the object has them all
_MOST_ROWS = 12


@dataclass(frozen=True)
class Listing:
    """A small table: names of its columns, rows, and the share of a limit that each row takes.

    Attributes
    ----------
    columns : sequence of str
    rows : sequence of sequence of str
    shares : sequence of float or None
        One for each row, 1 is the limit; None: no bar.
    fits : sequence of bool or None
        One for each row that has a bar.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    shares: Sequence[float] | None = None
    fits: Sequence[bool | None] = ()

    def text(self) -> list[str]:
        """Lines of plain text, columns aligned."""
        shown = [self.columns, *self.rows[:_MOST_ROWS]]
        widths = [max(len(row[i]) for row in shown) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in shown
        ]
        return [*lines, *self._more()]

    def _more(self) -> list[str]:
        rest = len(self.rows) - _MOST_ROWS
        return [f"... and {rest:,} more"] if rest > 0 else []

    def html(self) -> str:
        """A table element; nothing from outside is markup in it."""
        head = "".join(f"<th style='text-align:left'>{escape(c)}</th>" for c in self.columns)
        body = "".join(self._row(i) for i in range(min(len(self.rows), _MOST_ROWS)))
        rest = "".join(f"<p>{escape(line)}</p>" for line in self._more())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"

    def _row(self, i: int) -> str:
        cells = "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in self.rows[i])
        return f"<tr>{cells}{self._bar(i)}</tr>"

    def _bar(self, i: int) -> str:
        """The row's share of its limit, as a bar with the limit marked."""
        if self.shares is None:
            return ""
        width = 120 * min(self.shares[i], 1.25)
        return (
            "<td><svg width='150' height='12' role='img' "
            f"aria-label='{self.shares[i]:.0%} of the limit'>"
            f"<rect width='{width:.1f}' height='12' fill='{_COLOURS[self.fits[i]]}'/>"
            "<line x1='120' x2='120' y2='12' stroke='currentColor' stroke-dasharray='2'/>"
            "</svg></td>"
        )


class Shown:
    """Short in a prompt, readable when printed, a table in a notebook.

    A class has `headline`, and `listing` if it has rows worth a table. Names from outside are
    made harmless here, once.
    """

    def headline(self) -> str:
        """The answer in one sentence."""
        raise NotImplementedError

    def listing(self) -> Listing | None:
        """What stands below the sentence; None: nothing."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {for_terminal(self.headline())}>"

    def __str__(self) -> str:
        rows = self.listing()
        lines = [self.headline()] if rows is None else [self.headline(), "", *rows.text()]
        return "\n".join(for_terminal(line) for line in lines)

    def _repr_html_(self) -> str:
        rows = self.listing()
        below = "" if rows is None else rows.html()
        return f"<div><p><b>{escape(for_terminal(self.headline()))}</b></p>{below}</div>"
