"""Stack traces out of text: ftrace's ``stack_trace``, oops and ``do_IRQ`` reports, lists of frames.

People paste them into mail, quote them, cut rows out, leave the log's prefixes on and put several
into one file. What is no oops is prose and is passed over; a row of an oops that cannot be read,
or rows that do not add up, are errors with the line's number.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from blockstack.base.errors import BlockstackError
from blockstack.kernel.lists import ListedFrame, checkstack_line, usage_line
from blockstack.oops.log_lines import Stated, bare, stated_by

Form = Literal["table", "calls", "frames"]
_NAME = r"(?P<name>[A-Za-z_$][\w.$]*)"
_PLACE = re.compile(
    _NAME + r"\+(?P<offset>0x[0-9a-fA-F]+|\d+)(?:/(?P<length>0x[0-9a-fA-F]+))?"
    r"(?:\s+\[(?P<module>[\w-]+)(?:\s+[0-9a-f]+)?\])?"
)
_RAW = re.compile(r"(?P<raw>0x[0-9a-fA-F]+)\s*\Z")
_BARE = re.compile(_NAME + r"(?:\s+\[(?P<module>[\w-]+)\])?\s*\Z")
# kernel/trace/trace_stack.c: "%3d) %8d   %5d   " and the symbol; without sizes: of a report
_ROW = re.compile(
    r"\s*(?P<index>\d+)\)\s+(?:(?P<depth>\d+)\s+(?P<size>\d+)\s+)?"
    r"(?P<rest>\S.*?)\s*\Z"
)
_HEADER = re.compile(r"\s*Depth\s+Size\s+Location\s*(?:\((?P<entries>\d+) entries\))?")
_RULE = re.compile(r"\s*-{3,}\s+-{3,}\s+-{3,}\s*\Z")
_ELIDED = re.compile(r"\s*(?:\.{3,}|…|\[\s*\.\.\.\s*\]|\[snip\].*|<snip>.*)\s*\Z")
# one call per line: an address in brackets (2.6), a question mark for a stale one, the place
_CALL = re.compile(
    r"\s*(?:[\[(<{]+(?:0x)?[0-9a-fA-F]{1,16}[\])>}]+\s*)?(?P<stale>\?\s*)?"
    r"(?:[({])?(?P<place>" + _PLACE.pattern + r")(?:[)}])?"
    r"(?:\s+\((?:unreliable|[A-Z]+)\)|\s+from\s.*)?\s*\Z"
)
_MARK = re.compile(r"\s*(?:</?(?:IRQ|NMI|EOI|EOE|TASK|SOFTIRQ|#\w+)>|<<EOE>>|={4,}|-{4,})\s*")
_BEGIN = re.compile(r"(?:Call Trace|Stack|Backtrace)\s*:\s*", re.IGNORECASE)
#: rows that report the stack and are not part of what is reported (arch/x86/kernel/dumpstack.c)
_REPORTERS = frozenset(
    (
        "dump_stack",
        "show_trace",
        "show_stack",
        "show_trace_log_lvl",
        "dump_trace",
        "__dump_stack",
        "dump_stack_lvl",
        "show_stack_log_lvl",
        "print_trace_stack",
        "save_stack_trace",
    )
)


@dataclass(frozen=True)
class OopsRow:
    """One row, as it stands in the text.

    Attributes
    ----------
    function : str
        Name, with what gcc appended; ``0x...`` where the kernel had no name.
    line : int
        Line number.
    depth_bytes, bytes : int or None
        ``Depth`` and ``Size`` of a stack tracer's table.
    module : str
    stale : bool
        The kernel marked it "?": an address that lies on the stack and may be no caller.
    """

    function: str
    line: int
    depth_bytes: int | None = None
    bytes: int | None = None
    module: str = ""
    stale: bool = False


@dataclass(frozen=True)
class Oops:
    """One oops.

    Attributes
    ----------
    form : {"table", "calls", "frames"}
        A stack tracer's table; a chain of calls without sizes; a list of frames, no path.
    rows : tuple of OopsRow
        Innermost first, as kernels print them.
    stated : Stated
        What the text says beside the rows.
    gaps : tuple of (row, bytes or None)
        Where rows were left out: after which row, and what they keep (from the depths).
    whole : bool
        Nothing was left out, as far as the rows tell.
    notes : tuple of str
    """

    form: Form
    rows: tuple[OopsRow, ...]
    stated: Stated = field(default_factory=Stated)
    gaps: tuple[tuple[int, int | None], ...] = ()
    whole: bool = True
    notes: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """Where it starts."""
        return self.rows[0].line

    @property
    def used_bytes(self) -> int | None:
        """Depth that the tracer reported; None: the rows have no sizes."""
        return self.rows[0].depth_bytes if self.form == "table" else None


def load_oopses(path: Path) -> tuple[Oops, ...]:
    """Every oops of a text file; ``-``: of the standard input.

    Raises
    ------
    BlockstackError
        Unreadable, no text, no oops in it, or rows that cannot be.
    """
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise BlockstackError(
            f"cannot be read: {error.strerror or error}", path=str(path)
        ) from error
    if b"\0" in raw:
        raise BlockstackError(
            "is not text",
            path=str(path),
            hint="give a file with a stack_trace table, an oops or a list of frames",
        )
    return read_oopses(raw.decode(errors="replace"), str(path))


def read_oopses(text: str, source: str = "oops") -> tuple[Oops, ...]:
    """Every oops of a text.

    Parameters
    ----------
    text : str
    source : str
        What errors call it.

    Raises
    ------
    BlockstackError
        No oops, or rows that cannot be; the message has the line.
    """
    reader = _Reader(source)
    for number, line in enumerate(text.splitlines(), 1):
        reader.take(number, bare(line))
    reader.close()
    if not reader.oopses:
        raise BlockstackError(
            "no stack trace in this text",
            path=source,
            hint='rows look like "  0)  5064  304  get_page_from_freelist+0x2e4/0x722", " '
            '[<c0104e50>] do_IRQ+0xaf/0xd6", or lines of checkstack.pl or gcc -fstack-usage',
        )
    return tuple(reader.oopses)


class _Reader:
    """Takes the lines one by one; an oops ends where another kind of line follows."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.oopses: list[Oops] = []
        self.stated = Stated()
        self.rows: list[OopsRow] = []
        self.indices: list[int] = []
        self.gaps: list[tuple[int, int | None]] = []
        self.form: Form | None = None
        self.open = False  # the line before belonged to the oops

    def take(self, number: int, line: str) -> None:
        if self.form == "frames" or not self.rows:
            listed = checkstack_line(line) or usage_line(line)
            if listed is not None:
                self.listed(number, listed)
                return
        if self.row(number, line) or self.call(number, line):
            return
        if _HEADER.match(line) or _BEGIN.search(line):
            self.close()
            self.open = True
        elif _ELIDED.match(line) and self.rows:
            self.gaps.append((len(self.rows) - 1, None))
        elif not (line.strip() == "" or _RULE.match(line) or _MARK.match(line)):
            if self.form != "table":
                self.close()
            self.open = False
        found = stated_by(self.stated, line)
        if found != self.stated:
            self.close()  # what is said after an oops belongs to the next one
            self.stated = found

    def fail(self, number: int, message: str, line: object) -> BlockstackError:
        return BlockstackError(
            message,
            path=f"{self.source}:{number}",
            value=line,
            hint='mark rows that were cut out with "..."',
        )

    def start(self, form: Form) -> None:
        if self.form not in (None, form):
            self.close()
        self.form, self.open = form, True

    def listed(self, number: int, found: ListedFrame) -> None:
        self.start("frames")
        module = found.where if found.how == "checkstack" else ""
        self.rows.append(OopsRow(found.name, number, None, found.bytes, module))

    def row(self, number: int, line: str) -> bool:
        """A numbered row: ``  0)     5064     304   get_page_from_freelist+0x2e4/0x722``."""
        match = _ROW.match(line)
        if match is None:
            return False
        place = (
            _PLACE.match(match["rest"])
            or _RAW.match(match["rest"])
            or (_BARE.match(match["rest"]) if match["depth"] else None)
        )
        index = int(match["index"])
        if place is None:
            if (
                self.open
                and self.form in (None, "table", "calls")
                and (index == (self.indices[-1] + 1 if self.indices else 0))
            ):
                raise self.fail(number, "not a row of a stack trace", line.strip())
            return False  # a numbered list of prose
        form: Form = "calls" if match["depth"] is None else "table"
        if self.indices and index <= self.indices[-1]:
            self.close()
        self.start(form)
        named = place.groupdict()
        row = OopsRow(
            named.get("name") or named["raw"],
            number,
            None if match["depth"] is None else int(match["depth"]),
            None if match["size"] is None else int(match["size"]),
            named.get("module") or "",
        )
        self.check(row, index, line)
        self.rows.append(row)
        self.indices.append(index)
        return True

    def check(self, row: OopsRow, index: int, line: str) -> None:
        """Depth less size is the depth of the row below, unless rows were cut out between."""
        if row.depth_bytes is not None and (row.bytes or 0) > row.depth_bytes:
            raise self.fail(row.line, "a row is larger than the stack at it", line.strip())
        if not self.rows:
            return
        above, cut = self.rows[-1], index > self.indices[-1] + 1
        left = None if above.depth_bytes is None else above.depth_bytes - (above.bytes or 0)
        marked = bool(self.gaps) and self.gaps[-1][0] == len(self.rows) - 1
        if left is not None and row.depth_bytes is not None:
            if row.depth_bytes > left or (row.depth_bytes != left and not cut and not marked):
                raise self.fail(
                    row.line,
                    f"rows do not add up: depth less size of the row before is {left}",
                    line.strip(),
                )
            left -= row.depth_bytes
        if cut or marked:
            self.gaps = [g for g in self.gaps if g[0] != len(self.rows) - 1]
            self.gaps.append((len(self.rows) - 1, left))

    def call(self, number: int, line: str) -> bool:
        """A call of an oops: `` [<c0104e50>] do_IRQ+0xaf/0xd6``, `` ? schedule+0x12/0x34``."""
        if self.form == "table" and self.open:
            return False
        begun = _BEGIN.search(line)
        body = line[begun.end() :] if begun else line
        body = _MARK.sub("", body, count=1) if _MARK.match(body) else body
        match = _CALL.match(body)
        if match is None:
            return False
        if begun or self.indices:
            self.close()
        self.start("calls")
        self.rows.append(
            OopsRow(
                match["name"], number, None, None, match["module"] or "", match["stale"] is not None
            )
        )
        return True

    def close(self) -> None:
        """File the oops that was being read."""
        if self.rows and self.form is not None and (self.form != "calls" or len(self.rows) > 1):
            self.oopses.append(self.made(self.form))
        if self.rows:
            self.stated = self.stated.outlasting()
        self.rows, self.indices, self.gaps, self.form = [], [], [], None

    def made(self, form: Form) -> Oops:
        notes = list(self.told())
        rows = self.rows
        sure = [r for r in rows if not r.stale]
        if len(sure) < len(rows) and sure:
            notes.append(f'{len(rows) - len(sure)} rows marked "?" left out: stale addresses')
            rows = sure
        own = [i for i, r in enumerate(rows[:8]) if r.function in _REPORTERS]
        if form == "calls" and own and len(rows) > own[-1] + 1:
            notes.append(f"{own[-1] + 1} rows of the report itself left out")
            rows = rows[own[-1] + 1 :]
        last = rows[-1]
        whole = (
            form != "frames"
            and not self.gaps
            and self.indices[:1] in ([], [0])
            and (form != "table" or last.depth_bytes == last.bytes)
        )
        if form == "table" and last.depth_bytes != last.bytes:
            notes.append(
                f"{(last.depth_bytes or 0) - (last.bytes or 0):,} bytes lie outside the "
                "outermost row: the table was cut"
            )
        if self.indices and self.indices[0]:
            notes.append(f"starts at row {self.indices[0]}")
        return Oops(form, tuple(rows), self.stated, tuple(self.gaps), whole, tuple(notes))

    def told(self) -> Iterator[str]:
        for _, left in self.gaps:
            yield "rows were cut out" + ("" if left is None else f": they keep {left:,} bytes")
