"""Stack traces out of text: ftrace's ``stack_trace``, reports of kernels, debuggers and tracers.

People paste them into mail, quote them, cut rows out, leave the log's prefixes on and put several
into one file. What is no oops is prose and is passed over; a row of an oops that cannot be read,
or rows that do not add up, are errors with the line's number.
"""

import re
import sys
from pathlib import Path

from blockstack.base.errors import BlockstackError
from blockstack.kernel.lists import ListedFrame, checkstack_line, usage_line
from blockstack.oops.assemble import Rows
from blockstack.oops.forms import Place, places_of
from blockstack.oops.log_lines import messages
from blockstack.oops.model import Form, Oops, OopsRow
from blockstack.oops.stated import Stated, greatest_depth, instruction, stated_by

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
_MARK = re.compile(
    r"\s*(?:<(?P<on>IRQ|NMI|SOFTIRQ|#\w+)>|</(?:IRQ|NMI|TASK|SOFTIRQ|#\w+)>|<TASK>"
    r"|<?<(?:EOI|EOE)>>?|--- <(?P<crash>[\w ]+?)(?: exception)?(?: stack)?> ---|={4,}|-{4,})\s*"
)
_BEGIN = re.compile(
    r"(?:(?:Call Trace|Stack|Backtrace)\s*:|<stack trace>|\A\s*@\w*\[.*|\bbt(?:\s+-\w+)*\s*\Z)\s*",
    re.IGNORECASE,
)
#: what stands among the rows of one report: registers, code, an interrupt's frame
_BETWEEN = re.compile(
    r"\s*(?:(?:[RE]?(?:IP|SP|[ABCD]X|SI|DI|BP)|R\d\d|ORIG_RAX|[RE]?FLAGS|CS|[DEFGS]S|CR\d|DR\d|Code"
    r"|NIP|LR|CFAR|MSR|CR|CTR|XER|DAR|REGS|GPR\d\d|IRQMASK|PKRU|pc|lr|sp|[xr]\d+|epc|ra|gp|tp"
    r"|[tas]\d+|status|pstate|kernel \.text)\b\s*[:=\d].*|[RE]IP\s.*"
    r"|--- (?:interrupt|Exception):.*|\[exception RIP:.*|(?:sp|bsp)=[0-9a-f]+.*"
    r"|[0-9a-f]{8,16}:(?:\s[0-9a-f]{8,16})+|(?:/|\./|at\s)[\w./+-]+:\s*\d+)\s*\Z",
    re.IGNORECASE,
)
_RAISED = re.compile(r"\s*\[exception (?=RIP:)(?P<rest>.*)\]")
#: where a report begins, so that registers are of what follows
_START = re.compile(
    r"\s*(?:BUG|Oops|WARNING|INFO|PANIC|Kernel panic|[Kk]ernel (?:BUG|stack)|general protection|"
    r"Unable to handle|CPU|PID|Pid:|Process |Internal error|Insufficient|Thread overran|"
    r"double fault|invalid opcode|divide error|stack segment|crash>|-+\[ cut here|EIP:\s+0060|"
    r"do_IRQ|Unhandled|watchdog|NMI backtrace)"
)
#: what was stated and had no rows is over
_OVER = re.compile(r"\s*(?:-+\[ (?:cut here|end trace)|INFO: task |Linux version )")
_LAST_ADDRESS = re.compile(r"f{8,16}", re.IGNORECASE)  # /proc/PID/stack ends with ULONG_MAX


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
    for number, line in messages(text, _is_row):
        reader.take(number, line)
    reader.finish()
    if not reader.oopses:
        raise BlockstackError(
            "no stack trace in this text",
            path=source,
            hint='rows look like "  0)  5064  304  get_page_from_freelist+0x2e4/0x722", " '
            '[<c0104e50>] do_IRQ+0xaf/0xd6", or lines of checkstack.pl or gcc -fstack-usage',
        )
    return tuple(reader.oopses)


def _is_row(line: str) -> bool:
    match = _ROW.match(line)
    return bool(places_of(line)) or (match is not None and bool(_PLACE.match(match["rest"])))


class _Reader:
    """Takes the lines one by one; an oops ends where another kind of line follows."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.oopses: list[Oops] = []
        self.stated = Stated()
        self.stated_at = 0
        self.got = Rows()
        self.form: Form | None = None
        self.open = False  # the line before belonged to the oops
        self.fresh = True  # registers are of the oops that follows
        self.stack = ""  # the kernel's mark of another stack
        self.struck: Place | None = None  # an exception's instruction pointer among the rows
        self.greatest: list[tuple[int, str, int, str]] = []

    def take(self, number: int, line: str) -> None:
        if self.form == "frames" or not self.got.rows:
            listed = checkstack_line(line) or usage_line(line)
            if listed is not None:
                self.listed(number, listed)
                return
        if self.row(number, line) or self.call(number, line) or self.between(line):
            return
        greatest = greatest_depth(line)
        if greatest is not None:
            self.greatest.append((greatest[1], greatest[0], number, line.strip()))
        if _HEADER.match(line) or _BEGIN.search(line):
            self.close()
            self.open = True
        elif _ELIDED.match(line) and self.got.rows:
            self.got.gaps.append((len(self.got.rows) - 1, None))
        elif not (line.strip() == "" or _RULE.match(line) or _MARK.match(line)):
            if self.form != "table":
                self.close()
            self.open = False
        self.mark(line)
        self.state(number, line)

    def state(self, number: int, line: str) -> None:
        """Keep what a line says for the oops that follows."""
        if _OVER.match(line):
            self.flush()
        self.fresh = self.fresh or _START.match(line) is not None
        if stated_by(self.stated, line, registers=self.fresh) == self.stated:
            return
        self.close()  # what is said after an oops belongs to the next one
        found = stated_by(self.stated, line, registers=self.fresh)
        if found.alone and not self.stated.alone:
            self.stated_at = number
        self.stated = found

    def mark(self, line: str) -> None:
        """Follow the kernel's marks of other stacks."""
        match = _MARK.match(line)
        if match is not None and match[0].strip():
            self.stack = match["on"] or ""
            if match["crash"]:
                self.got.switch(match["crash"])

    def between(self, line: str) -> bool:
        """A line among the rows of one report that is none itself."""
        if not (self.form == "calls" and self.got.places and _BETWEEN.match(line)):
            return False
        raised = _RAISED.match(line)
        self.struck = instruction(raised["rest"] if raised else line) or self.struck
        return True

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
        self.got.rows.append(OopsRow(found.name, number, None, found.bytes, module))

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
        index, indices = int(match["index"]), self.got.indices
        if place is None:
            if (
                self.open
                and self.form in (None, "table", "calls")
                and (index == (indices[-1] + 1 if indices else 0))
            ):
                raise self.fail(number, "not a row of a stack trace", line.strip())
            return False  # a numbered list of prose
        form: Form = "calls" if match["depth"] is None else "table"
        if self.got.places or (indices and index <= indices[-1]):
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
        self.got.rows.append(row)
        self.got.indices.append(index)
        return True

    def check(self, row: OopsRow, index: int, line: str) -> None:
        """Depth less size is the depth of the row below, unless rows were cut out between."""
        if row.depth_bytes is not None and (row.bytes or 0) > row.depth_bytes:
            raise self.fail(row.line, "a row is larger than the stack at it", line.strip())
        if not self.got.rows:
            return
        above, cut, last = (
            self.got.rows[-1],
            index > self.got.indices[-1] + 1,
            len(self.got.rows) - 1,
        )
        left = None if above.depth_bytes is None else above.depth_bytes - (above.bytes or 0)
        marked = bool(self.got.gaps) and self.got.gaps[-1][0] == last
        if left is not None and row.depth_bytes is not None:
            if row.depth_bytes > left or (row.depth_bytes != left and not cut and not marked):
                raise self.fail(
                    row.line,
                    f"rows do not add up: depth less size of the row before is {left}",
                    line.strip(),
                )
            left -= row.depth_bytes
        if cut or marked:
            self.got.gaps = [g for g in self.got.gaps if g[0] != last] + [(last, left)]

    def call(self, number: int, line: str) -> bool:
        """Rows of a chain of calls: `` [<c0104e50>] do_IRQ+0xaf/0xd6``, `` ? f+0x12/0x34``."""
        if self.form == "table" and self.open:
            return False
        begun = _BEGIN.search(line)
        body = line[begun.end() :] if begun else line
        marked = _MARK.match(body)
        if marked:
            self.mark(body)
            body = body[marked.end() :]
        places = places_of(body, within=self.open or begun is not None)
        if not places:
            return False
        if begun or self.got.indices or re.match(r"\s*#0\s", body):
            self.close()
        self.start("calls")
        if begun:
            self.stack = ""
            self.mark(line[begun.end() :])
        if self.struck is not None and self.struck.name != places[0].name:
            self.got.add_calls(number, [self.struck], self.stack)
        self.struck = None
        places = tuple(p for p in places if not _LAST_ADDRESS.fullmatch(p.address))
        self.got.add_calls(number, places, self.stack)
        return True

    def close(self) -> None:
        """File the oops that was being read."""
        rows = self.got.rows
        lone = self.stated.alone or self.stated.pointer is not None
        if rows and self.form is not None and (self.form != "calls" or len(rows) > 1 or lone):
            self.oopses.append(self.got.oops(self.form, self.stated))
            self.stated, self.fresh = self.stated.outlasting(), False
        self.got, self.form, self.struck, self.stack = Rows(), None, None, ""

    def flush(self) -> None:
        """File what was stated without any row."""
        self.close()
        if self.stated.alone:
            at, arch = self.stated_at, self.stated.arch or self.stated.registers_arch
            self.oopses.append(Oops("stated", (), self.stated, (), False, (), at, arch))
            self.stated = self.stated.outlasting()

    def finish(self) -> None:
        """File what is open, and the deepest task that the text tells of."""
        self.flush()
        if not self.greatest:
            return
        left, _, number, title = min(self.greatest)
        more = len(self.greatest) - 1
        notes = (f"{more} more lines tell of tasks that left as much or more",) if more else ()
        stated = Stated(
            self.stated.kernel,
            self.stated.arch,
            title,
            self.stated.thread_size_bytes,
            bytes_left=left,
        )
        self.oopses.append(Oops("stated", (), stated, (), False, notes, number, stated.arch))
