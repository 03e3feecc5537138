"""One oops out of the rows that were read: what is left out of them, and said so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from blockstack.oops.forms import Place
from blockstack.oops.model import Form, Oops, OopsRow
from blockstack.oops.stated import Stated, architecture

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
        "dump_backtrace",
        "unwind_backtrace",
        "walk_stackframe",
        "panic",
        "nmi_panic",
        "panic_bad_stack",
        "handle_bad_stack",
        "__bad_stack",
    )
)
#: rows that keep nothing on the stack that is reported
_LEFT_OUT: tuple[tuple[str, Callable[[OopsRow, Place], bool]], ...] = (
    ("marked [inline] left out: they keep no frame", lambda r, p: p.inline),
    ("of user space left out: they are not on this stack", lambda r, p: p.user),
    ('marked "?" left out: stale addresses', lambda r, p: r.stale),
    (
        "on the stack of an exception left out",
        lambda r, p: r.stack not in ("", "IRQ", "SOFTIRQ"),
    ),
)
#: bytes of code within which gcc sets a frame up: endbr, fentry, six pushes, the subtraction
_PROLOGUE = 32


@dataclass
class Rows:
    """Rows of one oops as they come.

    Attributes
    ----------
    rows : list of OopsRow
    places : list of Place
        As the rows of a chain of calls stand in the text.
    indices : list of int
        Of numbered rows.
    gaps : list of (row, bytes or None)
        As in `Oops.gaps`.
    """

    rows: list[OopsRow] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    gaps: list[tuple[int, int | None]] = field(default_factory=list)

    def add_calls(self, number: int, places: Sequence[Place], stack: str) -> None:
        """Rows of a line of a chain of calls; ``stack`` is the kernel's mark of another one."""
        self.places += places
        self.rows += [
            OopsRow(
                place.name,
                number,
                module=place.module,
                stale=place.stale,
                stack_pointer=place.stack_pointer,
                stack=stack,
            )
            for place in places
        ]

    def switch(self, stack: str) -> None:
        """The rows so far stood on another stack: crash marks its end, kernels its begin."""
        self.rows = [row if row.stack else replace(row, stack=stack) for row in self.rows]

    def oops(self, form: Form, stated: Stated) -> Oops:
        """The oops that they are."""
        if form == "calls":
            rows, notes = self._calls(stated)
        else:
            rows, notes = self.rows, []
        told = [
            "rows were cut out" + ("" if left is None else f": they keep {left:,} bytes")
            for _, left in self.gaps
        ]
        last = rows[-1]
        cut = (last.depth_bytes or 0) - (last.bytes or 0) if form == "table" else 0
        if cut:
            notes.append(f"{cut:,} bytes lie outside the outermost row: the table was cut")
        if self.indices and self.indices[0]:
            notes.append(f"starts at row {self.indices[0]}")
        whole = form != "frames" and not self.gaps and not cut and self.indices[:1] in ([], [0])
        return Oops(
            form,
            tuple(rows),
            stated,
            tuple(self.gaps),
            whole,
            (*told, *notes),
            self.rows[0].line,
            stated.arch if form in ("table", "frames") else architecture(stated, self.places),
        )

    def _calls(self, stated: Stated) -> tuple[list[OopsRow], list[str]]:
        notes: list[str] = []
        both = list(zip(self.rows, self.places, strict=True)) if self.places else []
        if not both:  # numbered rows
            both = [(row, Place(row.function)) for row in self.rows]
        for left_out, test in _LEFT_OUT:
            kept = [(r, p) for r, p in both if not test(r, p)]
            if kept and len(kept) < len(both):
                notes.append(f"{len(both) - len(kept)} rows {left_out}")
                both = kept
        own = self._own(both, stated.pointer)
        if own:
            notes.append(f"{own} rows of the report itself left out")
            both = both[own:]
        return self._with_pointer(both, stated, notes), notes

    @staticmethod
    def _own(both: Sequence[tuple[OopsRow, Place]], pointer: Place | None) -> int:
        """Rows of the report itself: down to its own functions, or to where it struck."""
        own = [i for i, (r, _) in enumerate(both[:8]) if r.function.split(".")[0] in _REPORTERS]
        if own and len(both) > own[-1] + (pointer is None):
            return own[-1] + 1
        if pointer is None or pointer.offset is None:
            return 0
        where = (pointer.name, pointer.offset)
        return next((i for i, (_, p) in enumerate(both[:16]) if (p.name, p.offset) == where), 0)

    @staticmethod
    def _with_pointer(
        both: Sequence[tuple[OopsRow, Place]], stated: Stated, notes: list[str]
    ) -> list[OopsRow]:
        """Rows with the instruction pointer's as the innermost one."""
        rows, pointer = [row for row, _ in both], stated.pointer
        first = both[0][1] if both else None
        if pointer is None or (first and first.stack_pointer is not None):
            return rows
        early = pointer.offset is not None and pointer.offset < _PROLOGUE
        x86 = stated.registers_arch in ("x86_64", "i386")
        # the chains of other architectures begin with it
        if first and first.name == pointer.name and (first.offset == pointer.offset or not x86):
            return [replace(rows[0], in_prologue=early), *rows[1:]]
        if early:
            notes.append(f"{pointer.name} was struck before its frame stood: it counts none")
        notes.append(f"the innermost row is the instruction pointer's: {pointer.name}")
        line = rows[0].line if rows else 0
        return [OopsRow(pointer.name, line, module=pointer.module, in_prologue=early), *rows]
