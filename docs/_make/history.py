# ruff: noqa: E501 (tables of Markdown)
"""2005 and now, in figures: the page docs/2005-and-now.md, written by the tool itself."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from blockstack.base.errors import UnsupportedKind
from blockstack.base.units import format_bytes
from blockstack.engine.depth.explain import explain
from blockstack.engine.study.nesting import max_layers
from blockstack.engine.study.survey import THREAD_SIZES_BYTES, Growth, growth
from blockstack.kernel import Kernel, load_kernel
from blockstack.kinds import KINDS, Calls, Kind
from blockstack.scenario.config import load_config
from blockstack.scenario.shipped import scenarios
from blockstack.stack import Stack
from blockstack.validation.files import measured_files
from blockstack.validation.measured import Measurements
from blockstack.workload import Workload
from docs._make import article

#: the kernel that the question was about, and those whose submission is serialised
RECURSIVE, SERIALISED = "linux-2.6.18-i386-4k", ("linux-6.1-i386", "linux-6.1-x86_64")
#: direct reads and writes of one page: what an O_DIRECT database issues
DIRECT = Workload(rw="randrw", bs="4 KiB", direct=True)
_LABELS = {RECURSIVE: "2.6.18, i386", SERIALISED[0]: "6.1, i386", SERIALISED[1]: "6.1, x86_64"}
_HEAD = """# 2005 and now

In 2005 the question was whether 4K kernel stacks could be the only choice on x86 (“4K stacks for
everyone?”): dm over md over network disks nested one `make_request` call per layer, reiser4 and
NDISwrapper needed more. This page answers that article paragraph by paragraph with figures, then
asks the same of every kernel since. It is made by `python -m docs._make.pages`; a test keeps it
current.

Every figure is one of these:

- **measured**: the stack tracer of a running kernel reported it (Debian's 6.1; `blockstack validate`);
- **derived**: the longest path over frame tables of a real build, per call site ([model](model.md));
- **published**: in the kernel's source or on its mailing lists;
- **assumed**: nobody measured it and no table has it.

The compiler of the time is a range: 2.6.18 and 2.6.24 were built with gcc 11 as it is, and with the flags that
come nearest to gcc 3.x (no inlining of what is called once, no shared stack slots). A verdict of theirs fits only
if both builds fit. Stack dumps of 2.6.19-rc6 that were published in 2006 (gcc 3.3) are 1.3 to 1.4 times as deep as
the same chains here: what that factor would do is said beside the verdicts, as *published factor*."""


@cache
def _kernel(name: str) -> Kernel:
    return load_kernel(name)


def lines(progress: Callable[[str], None] = lambda what: None) -> Iterator[str]:
    """The page, line by line; some minutes of work.

    Parameters
    ----------
    progress : callable
        ``progress(section)`` before each section.
    """
    yield from _HEAD.splitlines()
    for section in (*article.SECTIONS, layer_costs, fits, recursive_now, four_k, randomised):
        progress(section.__name__)
        yield ""
        yield from section()


def layer_costs() -> Iterator[str]:
    """Bytes per layer, then and now."""
    yield from (
        "## What one layer costs",
        "",
        "Derived. *Submit*: from the block layer's entry for the device to the call that hands the bio on; a "
        "recursive kernel pays it once per layer. Serialised kernels (2.6.22 on) pay *peak*, the deepest local "
        "call, once for the deepest layer of all. *Complete*: one `bio_endio` per layer, in every kernel to this "
        "day. Where a worker submits, the recursion ends and the worker has a stack of its own.",
        "",
        "| layer | 2.6.18 i386: submit | complete | 6.1 i386: submit, were it recursive | peak | complete "
        "| 6.1 x86_64: submit, were it recursive | peak | complete |",
        "|---|" + "---:|" * 8,
    )
    for kind in sorted(KINDS.values(), key=lambda k: k.name):
        cells = [cell for name in (RECURSIVE, *SERIALISED) for cell in _costs(kind, _kernel(name))]
        if kind.role == "stacked" and any(c.lstrip("≥ ").replace(",", "").isdigit() for c in cells):
            yield f"| {kind.name} | " + " | ".join(cells) + " |"
    yield ""
    yield (
        "Published sums of the same builds: dm-linear 176 (2.6.18), 316 and 256 (6.1, i386 and x86_64). Measured "
        "per level of dm-linear, where the lowest device completes inline: "
        + " and ".join(f"{_measured_step(m)} bytes ({m.arch})" for m in _measured())
        + "."
    )


def _costs(kind: Kind, kernel: Kernel) -> list[str]:
    """Submit (and peak, for a serialised kernel), complete."""
    calls = kind.calls.get(kernel.generation.name)
    serialised = kernel.rule != "recursive"
    if calls is None or kind.role != "stacked":
        return ["–"] * (3 if serialised else 2)
    submit, peak = _submit(calls, kernel)
    complete = "–"
    if calls.endio is not None:
        row = kernel.rows.layer(
            calls.endio, kernel.generation.endio_link, nested=not calls.endio_stops
        )
        complete = (
            "ends here" if calls.endio_stops else _bytes(row.through.bytes, row.through.exact)
        )
    return [submit, peak, complete] if serialised else [submit, complete]


def _submit(calls: Calls, kernel: Kernel) -> tuple[str, str]:
    rows = {
        op: kernel.rows.layer(path, kernel.generation.submit_link, nested=True)
        for op in ("read", "write")
        for path in (calls.submit_ops.get(op, calls.submit),)
        if path is not None
    }
    found = [row for op, row in rows.items() if op not in calls.worker]
    if not found:
        return ("worker", "–") if calls.worker else ("none", "–")
    through = max((row.through for row in found), key=lambda p: p.bytes)
    peak = max((row.peak for row in rows.values()), key=lambda p: p.bytes)
    note = " (reads)" if "write" in calls.worker else ""
    return _bytes(through.bytes, through.exact) + note, _bytes(peak.bytes, peak.exact)


def _bytes(value: int, exact: bool = True) -> str:
    return f"{value:,}" if exact else f"≥ {value:,}"


def _measured() -> list[Measurements]:
    """The measured stacks of the kernels that the page compares."""
    return [m for m in measured_files() if m.name in SERIALISED]


def _measured_step(measured: Measurements) -> int:
    """Bytes per dm-linear level between four and eight of them over brd, as measured."""
    depth = {m.name: m.block.max_bytes for m in measured.stacks if m.block is not None}
    return (depth["dm-linear-x8_brd"] - depth["dm-linear-x4_brd"]) // 4


def _base(source: str = "", leaf: str = "scsi") -> Stack:
    stack = Stack(f"{source or 'raw'} on {leaf}")
    stack.add("disk", leaf, size="100 GiB")
    if source:
        stack.filesystem("fs", kind=source, on="disk")
    return stack


def fits() -> Iterator[str]:
    """How many dm-linear layers fit."""
    yield from (
        "## How many dm layers fit",
        "",
        "Nested dm-linear levels under O_DIRECT reads and writes of 4 KiB on one SCSI disk, what an interrupt and page "
        "reclaim or a wake-up put on the task's stack included. Derived. “Any” does not grow with the number of layers; “none” overflows without one. "
        "Limits are THREAD_SIZE less thread_info and the magic word.",
        "",
        "| kernel | under | thread size | recursive: submission | completion | serialised: submission | completion |",
        "|---|---|---:|---:|---:|---:|---:|",
    )
    why: list[str] = []
    for name in (RECURSIVE, *SERIALISED):
        for source in ("", "xfs"):
            for size in THREAD_SIZES_BYTES:
                row, overflowing = fit_row(name, source, size)
                why += overflowing
                yield row
    yield from ("", *why)
    yield from (
        "",
        "The 8K stacks of 2.6.18 take the interrupts that 4K ones move to stacks of their own; what strikes "
        "counts on top of the deepest task. Completion then grows by both, the chain of `bio_endio` and the "
        "task that it strikes.",
    )


def fit_row(name: str, source: str, size_bytes: int) -> tuple[str, list[str]]:
    """Layers that fit by rule and direction; and which task overflows without any layer."""
    kernel = _kernel(name).override(thread_size_bytes=size_bytes)
    own = kernel.rule if kernel.rule != "recursive" else "fifo"
    cells, why = [], []
    for rule in ("recursive", own):
        found = {
            r.direction: r
            for r in max_layers(
                _base(source), "dm-linear", kernel=kernel, submission=rule, workload=DIRECT
            )
        }
        cells += [_layers(found[d].layers, found[d].exact) for d in ("submission", "completion")]
        why += [
            f"- none on {_LABELS[name]} under {source or 'raw'} with {format_bytes(size_bytes)}, {rule}: `{r.task}` "
            f"needs {r.peak_bytes:,} bytes of {r.limit_bytes:,}"
            + (f", what may come on top {r.on_top_bytes:,} more" if r.on_top_bytes else "")
            for r in found.values()
            if r.layers == -1
        ]
    return (
        f"| {_LABELS[name]} | {source or 'raw'} | {format_bytes(size_bytes)} | "
        + " | ".join(cells)
        + " |"
    ), why


def _layers(count: int | None, exact: bool) -> str:
    if count is None:
        return "any"
    text = "none" if count < 0 else f"{count:,}"
    return text if exact else f"at most {text}"


def curve(name: str, rules: Sequence[str], most: int, source: str = "") -> Growth:
    """Depth over the number of dm-linear layers under a file system, or raw, on a SCSI disk."""
    return growth(
        _base(source), "dm-linear", kernel=_kernel(name), rules=rules, most=most, workload=DIRECT
    )


def recursive_now() -> Iterator[str]:
    """What 6.1 would need if it were recursive."""
    yield from (
        "## If 6.1 were recursive",
        "",
        "XFS with O_DIRECT on nested dm-linear levels on a SCSI disk; the deepest task that submits, randomised stack "
        "offset included. Derived. The last column is the smallest stack that holds the recursive depth.",
        "",
        "| kernel | layers | serialised, as it is | recursive | would need |",
        "|---|---:|---:|---:|---:|",
    )
    for name in SERIALISED:
        points = {
            (p.layers, p.submission): p
            for p in curve(name, ("two-list", "recursive"), 32, "xfs").points
            if p.direction == "submission"
        }
        for n in (0, 4, 8, 16, 32):
            flat, deep = points[n, "two-list"], points[n, "recursive"]
            need = 4096
            while (
                need - (_kernel(name).platform.thread_size_bytes - deep.limit_bytes)
                < deep.peak_bytes
            ):
                need *= 2
            yield (
                f"| {_LABELS[name]} | {n} | {_bytes(flat.peak_bytes, flat.exact)} | "
                f"{_bytes(deep.peak_bytes, deep.exact)} | {format_bytes(need)} |"
            )
    yield from (
        "",
        "The same on 2.6.18 with 4K stacks, raw (derived): recursive climbs by every layer's frames, serialised "
        "by those of `unplug_fn`, which nests under every rule to 2.6.3x.",
        "",
        "![Depth by number of dm-linear layers on 2.6.18 with 4K stacks](img/growth.svg)",
    )


def four_k() -> Iterator[str]:
    """What a 4K kernel would still overflow on."""
    yield from (
        "## What a 4K kernel would still overflow on",
        "",
        "Measured: stacks of devices on Debian's 6.1 whose deepest stack, as its own tracer saw it, does not fit "
        "4,096 bytes less the magic word. `block` saw the block layer's and drivers' functions, `all` every one.",
        "",
        "| kernel | stacks | `block` passes 4K | `all` passes 4K | deepest |",
        "|---|---:|---:|---:|---|",
    )
    for measured in _measured():
        limit = 4096 - _kernel(f"linux-6.1-{measured.arch}").platform.magic_bytes
        block = {m.name: m.block.max_bytes for m in measured.stacks if m.block is not None}
        every = {m.name: m.all.max_bytes for m in measured.stacks if m.all is not None}
        deepest = max(every, key=lambda n: every[n])
        yield (
            f"| {measured.kernel} | {len(block)} | {sum(n > limit for n in block.values())} | "
            f"{sum(n > limit for n in every.values())} of {len(every)} | {deepest}: {every[deepest]:,} |"
        )
    yield from (
        "",
        "Derived: the shipped scenarios on 6.1 with THREAD_SIZE at 4 KiB, every task, under the kernel's own rule.",
        "",
        "| kernel | scenarios that it can run | overflow 4K | the worst |",
        "|---|---:|---:|---|",
    )
    for name in SERIALISED:
        over, count = _scenarios_at(name, 4096)
        worst = sorted(over.items(), key=lambda item: -item[1][1])[:3]
        yield (
            f"| {_LABELS[name]} | {count} | {len(over)} | "
            + "; ".join(f"{scenario}: {task}, {n:,} bytes" for scenario, (task, n) in worst)
            + " |"
        )
    yield from (
        "",
        "A measured depth is what one workload reached, a bound what the code can reach: between the two lies "
        "what nobody can promise to a 4K kernel. No scenario's own layers multiply here, 6.1 being serialised.",
    )


def _scenarios_at(name: str, size_bytes: int) -> tuple[dict[str, tuple[str, int]], int]:
    """Scenarios that overflow on a thread size, with the worst task; how many could be run."""
    kernel, over, count = _kernel(name).override(thread_size_bytes=size_bytes), {}, 0
    for scenario, path in scenarios().items():
        case = load_config(path)
        try:
            found = explain(case.stack, kernel=kernel, workload=case.workload)
        except UnsupportedKind:
            continue
        count += 1
        if found.worst.fits is False:
            over[scenario] = (found.worst.task, found.worst.peak_bytes)
    return over, count


def randomised() -> Iterator[str]:
    """What the randomised stack offset takes."""
    yield from (
        "## What stack-offset randomisation takes",
        "",
        "`randomize_kstack_offset` moves the stack at every system call by up to ten bits, aligned "
        "(include/linux/randomize_kstack.h: published); Debian ships it on, the measured guests had it off. The shares "
        "and levels are derived.",
        "",
        "| kernel | at most | of 4K | of 8K | of 16K | in dm-linear levels, recursive | in completion levels |",
        "|---|---:|---:|---:|---:|---:|---:|",
    )
    for name in SERIALISED:
        kernel = _kernel(name)
        calls = KINDS["dm-linear"].calls[kernel.generation.name]
        assert calls.submit is not None and calls.endio is not None
        most, gen = kernel.platform.offset_bytes, kernel.generation
        levels = [
            most / kernel.rows.layer(path, link, nested=True).through.bytes
            for path, link in ((calls.submit, gen.submit_link), (calls.endio, gen.endio_link))
        ]
        yield (
            f"| {_LABELS[name]} | {most:,} | "
            + " | ".join(f"{100 * most / n:.0f} %" for n in THREAD_SIZES_BYTES)
            + " | "
            + " | ".join(f"{n:.1f}" for n in levels)
            + " |"
        )
