"""A kernel report explained: whose layer each frame is, what it keeps in a known kernel, what fits.

A stack tracer's table has its own figures; those of a named kernel's frame table stand beside
them. A chain of calls without figures (an oops, a ``do_IRQ`` report) gets the table's figures, and
where the report proves one total, the share of it that they account for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from blockstack.kernel import Kernel, Platform, load_kernel
from blockstack.kernel.call_chain import call_chain
from blockstack.kernel.choose import build_of, of_version
from blockstack.kernel.owners import UNKNOWN, by_file, owner_of
from blockstack.kernel.table import FrameTable
from blockstack.oops.depth import Depth, prove_depth, sized_rows
from blockstack.oops.model import Oops, OopsRow
from blockstack.oops.recursion import recursions
from blockstack.oops.remedies import LeftOut
from blockstack.results.call_chain import ChainFrame
from blockstack.results.oops import (
    ExplainedRow,
    LayerCost,
    OopsExplanation,
    Recursion,
    Remedy,
    SizeVerdict,
)

#: stacks that x86 kernels have shipped
SIZES_BYTES = (4096, 8192, 16384)
_X86 = ("i386", "x86_64")


def explain_oops(
    oops: Oops, *, kernel: Kernel | FrameTable | None = None, thread_size_bytes: int | None = None
) -> OopsExplanation:
    """Annotate an oops and judge it.

    Parameters
    ----------
    oops : Oops
    kernel : Kernel, FrameTable or None
        Whose static depths stand beside the rows. None: the shipped kernel of the oops's
        architecture that has most of its functions.
    thread_size_bytes : int or None
        None: what the text states, else the kernel's.

    Raises
    ------
    BlockstackError
        An impossible thread size.
    """
    chosen = kernel if kernel is not None else best_kernel(oops)
    if oops.arch not in ("", *_X86):  # a table of x86 says nothing about another architecture
        chosen = None
    whole = chosen if isinstance(chosen, Kernel) else None
    table = chosen.rows.table if isinstance(chosen, Kernel) else chosen
    depth = prove_depth(oops, whole.platform if whole else None, thread_size_bytes)
    read = sized_rows(oops.rows, depth.stack_high) if oops.form == "calls" else oops.rows
    names = [row.function for row in reversed(read)]
    static = _static(oops, names, table, chosen)
    rows = tuple(_row(row, frame, table) for row, frame in zip(reversed(read), static, strict=True))
    size = thread_size_bytes or depth.size_bytes or _size_in(table)
    judged = _Judged(oops, rows, whole, size, depth, assumed=kernel is None)
    return judged.explanation(_name(chosen))


def _size_in(table: FrameTable | None) -> int | None:
    """The thread size that a frame table's meta names."""
    size = None if table is None else table.meta.get("thread_size")
    return size if isinstance(size, int) else None


def best_kernel(oops: Oops) -> Kernel | None:
    """The shipped kernel to lay beside an oops; None: the oops is of another architecture.

    Of the generation that the text states, where there is one; then the one that has most of the
    functions, with 8 KiB before 4 where the frames are the same.
    """
    names = {row.function for row in oops.rows}
    fit = of_version(build_of(oops.stated.kernel, oops.arch).version, oops.arch)
    kernels = sorted((_loaded(name) for name in fit), key=lambda k: -k.platform.thread_size_bytes)
    return max(kernels, key=lambda k: sum(bool(k.rows.table.named(n)) for n in names), default=None)


@cache
def _loaded(name: str) -> Kernel:
    """A shipped kernel, read once for all oopses of a file."""
    return load_kernel(name)


def _name(chosen: Kernel | FrameTable | None) -> str:
    if isinstance(chosen, Kernel):
        return chosen.name
    return "" if chosen is None else str(chosen.meta["kernel"])


def _static(
    oops: Oops, names: Sequence[str], table: FrameTable | None, chosen: Kernel | FrameTable | None
) -> Sequence[ChainFrame | None]:
    if table is None:
        return [None] * len(names)
    if oops.form == "frames":  # no path: every function by itself
        return [call_chain(table, [name], {}).frames[0] for name in names]
    roots = {}
    if isinstance(chosen, Kernel):
        roots = {
            name: root
            for (arch, name), root in chosen.generation.roots.items()
            if arch == chosen.platform.arch
        }
    frames = call_chain(table, names, roots).frames
    if oops.rows and oops.rows[0].in_prologue:  # its frame does not stand yet
        frames = (*frames[:-1], replace(frames[-1], bytes=0))
    return frames


def _row(row: OopsRow, frame: ChainFrame | None, table: FrameTable | None) -> ExplainedRow:
    known = frame is not None and frame.how != "missing"
    connected = frame is not None and frame.how in ("call", "tail")
    owner = (by_file(frame.file) if connected and frame is not None else None) or (
        UNKNOWN if row.function.startswith("0x") else owner_of(row.function, row.module, table)
    )
    return ExplainedRow(
        row.function,
        row.module,
        owner.layer,
        owner.role,
        owner.how,
        row.depth_bytes,
        row.bytes,
        frame.bytes if known and frame is not None else None,
        "" if frame is None else frame.how,
        "" if row.stack_pointer is None else f"{row.stack_pointer:#x}",
    )


class _Judged:
    """Costs, limits and remedies of one annotated oops; rows outermost first."""

    def __init__(
        self,
        oops: Oops,
        rows: Sequence[ExplainedRow],
        kernel: Kernel | None,
        size: int | None,
        depth: Depth,
        *,
        assumed: bool,
    ) -> None:
        self.oops, self.rows, self.kernel, self.depth = oops, rows, kernel, depth
        self.path = oops.form != "frames"
        self.size = size
        self.assumed = assumed and oops.arch == "" and oops.form in ("calls", "stated")
        self.static = sum(r.static_bytes or 0 for r in rows)
        self.missing = [r.function for r in rows if r.static_bytes is None]
        self.used, self.source = depth.used_bytes, depth.source
        if self.used is None and self.path and len(self.missing) < len(rows):
            self.used, self.source = self.static, "static"
        weights = [r.bytes if r.bytes is not None else r.static_bytes or 0 for r in rows]
        self.explained = sum(weights)
        scale = (
            self.used / self.static
            if (self.source == "bytes left" and self.used and self.static)
            else 1.0
        )
        self.weights = [w * scale for w in weights]
        self.scaled = scale != 1.0

    @property
    def exact(self) -> bool:
        """The depth is known, not only a lower bound."""
        if self.source == "static":
            # a chain that does not begin at entry code was cut, or is part of one
            begun = self.oops.form != "calls" or self.rows[0].static_how == "root"
            return not (self.missing or self.assumed) and self.oops.whole and begun
        return self.depth.exact

    def _platform(self, size: int) -> Platform:
        assert self.kernel is not None
        return self.kernel.platform.with_thread_size(size)

    def _limit(self, size: int) -> int:
        return self._platform(size).limit_bytes if self.kernel else size

    def _verdict(self, size: int) -> SizeVerdict:
        assert self.used is not None
        used, note = self.used, ""
        at = next((i for i, r in enumerate(self.rows) if r.role == "interrupt"), None)
        if (
            at is not None
            and self.kernel is not None
            and self.kernel.platform.irq_stacks == ("shared")
            and self._platform(size).irq_stacks == "separate"
        ):
            task = round(sum(self.weights[:at])) + self._platform(size).irq_entry_bytes
            used = min(self.used, task)
            note = "interrupts have stacks of their own at this size"
            if self.scaled:
                note += "; the task's share of the total by the table's frames"
        limit = self._limit(size)
        exact = self.exact and (used == self.used or not self.missing)
        over = used > limit or (self.depth.overflowed and size <= (self.size or size))
        return SizeVerdict(size, limit, used, False if over else True if exact else None, note)

    def _sizes(self) -> list[SizeVerdict]:
        if self.used is None:
            return []
        sizes = {self.size or 8192}
        if self.oops.form == "table" or self.oops.arch in ("", *_X86):
            sizes |= set(SIZES_BYTES)
        elif self.size is None:
            return []
        return [self._verdict(n) for n in sorted(sizes)]

    def explanation(self, kernel: str) -> OopsExplanation:
        """Everything that was found."""
        sizes = self._sizes()
        own = next((v for v in sizes if v.thread_size_bytes == self.size), None)
        target = self._target(sizes, own)
        recursion = recursions(tuple(reversed(self.rows))) if self.path else ()
        return OopsExplanation(
            self.oops.form,
            self.oops.line,
            self.oops.stated.title,
            kernel,
            len(self.rows) - len(self.missing),
            len(self.rows),
            self.used,
            self.source,
            self.static,
            self.exact,
            self.size if self.path else None,
            own.limit_bytes if own else None,
            False if self.depth.overflowed else own.fits if own else None,
            tuple(reversed(self.rows)),
            self._costs(),
            tuple(sizes),
            self._left_out(target),
            target,
            tuple(self._notes(recursion)),
            self.oops.arch,
            self.depth.overflowed,
            self.explained if self._proven else None,
            self._unexplained if self._proven else None,
            recursion,
        )

    @property
    def _proven(self) -> bool:
        return self.source not in ("", "static")

    @property
    def _unexplained(self) -> int:
        return max(0, (self.used or 0) - self.explained)

    def _left_out(self, target: int | None) -> tuple[Remedy, ...]:
        if target is None or self.used is None or not self.explained:
            return ()
        return LeftOut(self.rows, self.weights, self.used, target).remedies()

    @staticmethod
    def _target(sizes: Sequence[SizeVerdict], own: SizeVerdict | None) -> int | None:
        """The limit that is passed; of a stack that fits, the next smaller one that would be."""
        passed = [
            v
            for v in sizes
            if v.fits is False and (own is None or v.thread_size_bytes <= own.thread_size_bytes)
        ]
        return max((v.limit_bytes for v in passed), default=None)

    def _costs(self) -> tuple[LayerCost, ...]:
        found: dict[str, list[int]] = {}
        runs = [i for i, r in enumerate(self.rows) if i == 0 or self.rows[i - 1].layer != r.layer]
        for i, r in enumerate(self.rows):
            found.setdefault(r.layer, []).append(i)
        costs = [
            LayerCost(
                layer,
                self.rows[at[0]].role,
                sum(self.rows[i].bytes or 0 for i in at)
                if any(self.rows[i].bytes is not None for i in at)
                else None,
                sum(self.rows[i].static_bytes or 0 for i in at),
                len(at),
                sum(i in runs for i in at),
            )
            for layer, at in found.items()
        ]
        shown = sum(c.bytes or 0 for c in costs)
        if self.source == "reported" and self.used is not None and self.used > shown:
            costs.append(LayerCost("(rows not shown)", "unknown", self.used - shown, 0, 0, 0))
        return tuple(sorted(costs, key=lambda c: -(c.static_bytes if c.bytes is None else c.bytes)))

    def _notes(self, recursion: Sequence[Recursion]) -> Iterable[str]:
        yield from self.oops.notes
        yield from self.depth.notes
        stated, arch = self.oops.stated, self.oops.arch
        if self.kernel is not None and self.path:
            yield f"static bytes and limits are those of {self.kernel.name}" + (
                f"; the oops is of {stated.kernel}" if stated.kernel else ""
            )
            if self.assumed:
                yield (
                    "nothing in the report tells its architecture: taken for "
                    f"{self.kernel.platform.arch}, which --kernel confirms"
                )
        elif self.path and arch not in ("", *_X86):
            name = "its architecture (64 bits, addresses of no x86)" if arch == "another" else arch
            yield f"no frame table for {name}: not judged with those of x86"
        if self.kernel is None and self.path and self.size is not None:
            yield "thread_info is not taken off the limit: it is not known for this kernel"
        if self._proven and self.oops.form == "calls" and self._unexplained:
            yield (
                f"the rows explain {self.explained:,} bytes; no row explains {self._unexplained:,}"
            )
        if self.source == "static" and self.rows and self.rows[0].static_how != "root":
            yield (
                f"at least: the outermost row, {self.rows[0].function}, is no entry code of "
                "the table's: what called it is not shown"
            )
        for one in recursion:
            turn = f", {one.turn_bytes:,} bytes a turn" if one.turn_bytes else ""
            yield f"recursion: {', '.join(one.functions)} {one.times} times{turn}"
        if self.source == "bytes left" and self.static and self.used:
            whole = "" if not self.missing else f", {len(self.missing)} functions not in the table"
            yield (
                f"the table's frames come to {100 * self.static / self.used:.0f} % of the "
                f"reported total{whole}: shares below are scaled to it (derived)"
            )
        if self.source == "static" and self.missing:
            yield (
                f"at least: the table lacks {len(self.missing)} of {len(self.rows)} functions: "
                + ", ".join(dict.fromkeys(self.missing[:6]))
            )
