"""A stack trace explained: whose layer each frame is, what it keeps in a known kernel, what fits.

A stack tracer's table has its own figures; those of a named kernel's frame table stand beside
them. A chain of calls without figures (an oops, a ``do_IRQ`` report) gets the table's figures, and
where the report states one total, the share of it that they account for.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations, pairwise
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.kernel import Kernel, Platform, load_kernel
from blockstack.kernel.choose import build_of, of_version
from blockstack.kernel.owners import UNKNOWN, by_file, owner_of
from blockstack.kernel.table import FrameTable
from blockstack.kernel.traced import traced_path
from blockstack.oops.read import Oops, OopsRow
from blockstack.results.oops import ExplainedRow, LayerCost, OopsExplanation, Remedy, SizeVerdict
from blockstack.results.traced import TracedFrame

#: stacks that x86 kernels have shipped
SIZES_BYTES = (4096, 8192, 16384)
#: functions at which one layer hands a bio to the next one, 2.6 to 6.x
_LINKS = frozenset(
    (
        "generic_make_request",
        "submit_bio",
        "submit_bio_noacct",
        "submit_bio_noacct_nocheck",
        "__submit_bio",
        "bio_endio",
    )
)
_OFF = {
    "reclaim": "direct reclaim, and all that it started",
    "scheduler": "the wait or the wake-up, and all that it started",
    "interrupts": "interrupts, on stacks of their own",
}
_MOST = 3  # layers left out at once


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
    table = chosen.rows.table if isinstance(chosen, Kernel) else chosen
    names = [row.function for row in reversed(oops.rows)]
    static = _static(oops, names, table, chosen)
    rows = tuple(
        _row(row, frame, table) for row, frame in zip(reversed(oops.rows), static, strict=True)
    )
    whole = chosen if isinstance(chosen, Kernel) else None
    size = (
        thread_size_bytes
        or oops.stated.thread_size_bytes
        or (whole.platform.thread_size_bytes if whole else _size_in(table))
    )
    judged = _Judged(oops, rows, whole, size)
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
    stated = oops.stated
    fit = of_version(build_of(stated.kernel, stated.arch).version, stated.arch)
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
) -> Sequence[TracedFrame | None]:
    if table is None:
        return [None] * len(names)
    if oops.form == "frames":  # no path: every function by itself
        return [traced_path(table, [name], {}).frames[0] for name in names]
    roots = {}
    if isinstance(chosen, Kernel):
        roots = {
            name: root
            for (arch, name), root in chosen.generation.roots.items()
            if arch == chosen.platform.arch
        }
    return traced_path(table, names, roots).frames


def _row(row: OopsRow, frame: TracedFrame | None, table: FrameTable | None) -> ExplainedRow:
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
    )


class _Judged:
    """Costs, limits and remedies of one annotated oops; rows outermost first."""

    def __init__(
        self, oops: Oops, rows: Sequence[ExplainedRow], kernel: Kernel | None, size: int | None
    ) -> None:
        self.oops, self.rows, self.kernel = oops, rows, kernel
        self.path = oops.form != "frames"
        self.size = size
        # what the bytes left were counted on
        self.reported_size = oops.stated.thread_size_bytes or size
        self.static = sum(r.static_bytes or 0 for r in rows)
        self.missing = [r.function for r in rows if r.static_bytes is None]
        self.used, self.source = self._used()
        weights = [r.bytes if r.bytes is not None else r.static_bytes or 0 for r in rows]
        scale = (
            self.used / self.static
            if (self.source == "bytes left" and self.used and self.static)
            else 1.0
        )
        self.weights = [w * scale for w in weights]
        self.scaled = scale != 1.0

    def _used(self) -> tuple[int | None, str]:
        if not self.path:
            return None, ""
        if self.oops.used_bytes is not None:
            return self.oops.used_bytes, "reported"
        left = self.oops.stated.bytes_left
        if left is not None and self.reported_size is not None:
            limit = self._limit(self.reported_size)
            if left > limit:
                raise BlockstackError(
                    "more bytes left than the stack has",
                    path="bytes left",
                    value=left,
                    hint="say the stack's size with --thread-size",
                )
            return limit - left, "bytes left"
        return self.static, "static"

    @property
    def exact(self) -> bool:
        """The depth is known, not only a lower bound."""
        return self.source in ("reported", "bytes left") or (
            self.source == "static" and not self.missing and self.oops.whole
        )

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
        return SizeVerdict(
            size, limit, used, False if used > limit else True if exact else None, note
        )

    def explanation(self, kernel: str) -> OopsExplanation:
        """Everything that was found."""
        sizes = (
            []
            if self.used is None
            else [self._verdict(n) for n in sorted({*SIZES_BYTES, self.size or 8192})]
        )
        own = next((v for v in sizes if v.thread_size_bytes == self.size), None)
        target = self._target(sizes, own)
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
            own.fits if own else None,
            tuple(reversed(self.rows)),
            self._costs(),
            tuple(sizes),
            self._remedies(target) if target is not None else (),
            target,
            tuple(self._notes()),
        )

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

    def _remedies(self, target: int) -> tuple[Remedy, ...]:
        assert self.used is not None
        options = dict(self._options())
        single = [self._remedy((name,), options, target) for name in options]
        found = sorted(single, key=lambda r: r.left_bytes)
        if not any(r.fits for r in found):
            for count in range(2, min(_MOST, len(options)) + 1):
                sets = (
                    self._remedy(names, options, target) for names in combinations(options, count)
                )
                fit = [r for r in sets if r.fits]
                if fit:
                    return (*found, max(fit, key=lambda r: r.left_bytes))
        return tuple(found)

    def _remedy(
        self, names: tuple[str, ...], options: dict[str, tuple[Any, frozenset[int]]], target: int
    ) -> Remedy:
        gone = frozenset[int]().union(*(options[name][1] for name in names))
        saved = round(sum(self.weights[i] for i in gone))
        left = (self.used or 0) - saved
        return Remedy(
            tuple(_OFF.get(n, n) for n in names),
            tuple(options[n][0] for n in names),
            saved,
            left,
            left <= target,
        )

    def _options(self) -> Iterator[tuple[str, tuple[str, frozenset[int]]]]:
        """What could be left out, and which rows go with it."""
        count = len(self.rows)
        for layer in dict.fromkeys(r.layer for r in self.rows if r.role == "stacked"):
            gone, off = self._stacked(layer)
            yield layer, ("off" if off else "out", frozenset(gone))
        for role, name in (
            ("reclaim", "reclaim"),
            ("scheduler", "scheduler"),
            ("interrupt", "interrupts"),
        ):
            at = next((i for i, r in enumerate(self.rows) if r.role == role), None)
            if at:
                yield name, ("off", frozenset(range(at, count)))

    def _stacked(self, layer: str) -> tuple[set[int], bool]:
        """Rows of a stacked layer with the link to the next one; all above where none follows."""
        gone: set[int] = set()
        mine = [i for i, r in enumerate(self.rows) if r.layer == layer]
        ends = [a for a, b in pairwise([*mine, len(self.rows) + 1]) if b > a + 1]
        gone.update(mine)
        for end in ends:
            after = end + 1
            while after < len(self.rows) and self.rows[after].function in _LINKS:
                gone.add(after)
                after += 1
            if after == end + 1:  # it allocates, waits or is struck: what follows is its own doing
                gone.update(range(after, len(self.rows)))
                return gone, True
        return gone, False

    def _notes(self) -> Iterable[str]:
        yield from self.oops.notes
        stated = self.oops.stated
        if self.kernel is not None and self.path:
            yield f"static bytes and limits are those of {self.kernel.name}" + (
                f"; the oops is of {stated.kernel}" if stated.kernel else ""
            )
        elif self.path and self.kernel is None and not stated.arch.startswith(("x86", "i386", "")):
            yield f"no frame table for {stated.arch}"
        if self.kernel is None and self.path:
            yield "thread_info is not taken off the limit: it is not known for this kernel"
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
