# ruff: noqa: E501 (tables of Markdown)
"""What the article of 2005 asked, paragraph by paragraph, for the page docs/2005-and-now.md."""

from collections.abc import Iterator, Sequence
from functools import cache

from blockstack.base.errors import UnsupportedKind
from blockstack.base.units import format_bytes
from blockstack.engine.depth.explain import explain
from blockstack.engine.study.nesting import max_layers
from blockstack.engine.study.words import Words, by_words, with_word
from blockstack.kernel import PROFILES, Kernel, load_kernel
from blockstack.kinds import KINDS
from blockstack.results.result import Explanation
from blockstack.scenario.config import Config, load_config
from blockstack.scenario.shipped import scenarios
from blockstack.stack import Stack

FOUR, EIGHT = "linux-2.6.18-i386-4k", "linux-2.6.18-i386-8k"
ERA = (FOUR, EIGHT, "linux-2.6.24-i386-4k", "linux-2.6.24-i386-8k")
SINCE = tuple(name for name in PROFILES if name not in ERA)
RULES = ("recursive", "fifo")
BEFORE, AFTER = "2005-08", "2005-10"
#: the stacks under reiser4
_REISER4 = {
    "reiser4-disk": "a plain disk",
    "reiser4-after-4k": "LVM",
    "reiser4-lvm-raid5": "LVM over md raid5",
    "reiser4-md-iscsi": "dm over md over iSCSI",
}
_SERVERS = {
    "raid-dm-nfs": "ext3, dm over md",
    "nfsd-ext3-iscsi": "ext3, dm over md over iSCSI",
    "nfsd-xfs": "XFS, dm over md",
    "nfsd-xfs-iscsi": "XFS, dm over md over iSCSI",
    "nfsd-reiser4": "reiser4, dm over md",
    "nfsd-reiser4-iscsi": "reiser4, dm over md over iSCSI",
}
_WINDOWS = {
    "ndiswrapper-caller": "ignored: on the caller's stack",
    "ndiswrapper-private": "on a private stack of 12 KiB",
    "ndiswrapper-user": "in user space",
}
_WORDS = {True: "fits", None: "cannot tell", False: "overflows"}


@cache
def _kernel(name: str) -> Kernel:
    return load_kernel(name)


@cache
def _case(scenario: str) -> Config:
    return load_config(scenarios()[scenario])


def _explained(scenario: str, kernel: str, rule: str, word: str = "", size: int = 0) -> Explanation:
    case = _case(scenario)
    stack = with_word(case.stack, "fs", "version", word) if word else case.stack
    chosen = _kernel(kernel).override(thread_size_bytes=size or None)
    return explain(stack, kernel=chosen, submission=rule, workload=case.workload)


def _cell(found: Explanation) -> str:
    """Verdict, and the worst task in both builds."""
    worst = found.worst
    other = f" / {worst.other_build_bytes:,}" if worst.other_build_bytes else ""
    least = "" if worst.exact else "≥ "
    return f"{_WORDS[found.fits]}: {worst.task}, {least}{worst.peak_bytes:,}{other}"


def memory() -> Iterator[str]:
    """What 4K stacks save."""
    yield from (
        "## “4K stacks save memory”",
        "",
        "Derived: THREAD_SIZE times threads, and the pages that one stack takes (order 1: two that lie side by side "
        "in memory, which a fragmented machine may not have; order 0: any one). A 4K kernel adds a hard and a soft "
        "interrupt stack of THREAD_SIZE per CPU.",
        "",
        "| threads | 8K stacks | 4K stacks | saved | allocations of order 1 | of order 0 | interrupt stacks per CPU |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    )
    small, large = (_kernel(name).platform.thread_size_bytes for name in (FOUR, EIGHT))
    for threads in (1000, 10_000):
        yield (
            f"| {threads:,} | {_mib(large * threads)} | {_mib(small * threads)} | "
            f"{_mib((large - small) * threads)} | {threads:,} | {threads:,} | {format_bytes(2 * small)} |"
        )
    yield from (
        "",
        "Made by `blockstack kernel list --threads 10000` and `blockstack plot memory CONFIG`.",
    )


def _mib(n_bytes: int) -> str:
    return f"{n_bytes / 2**20:,.1f} MiB"


def reiser4_words() -> Words:
    """Every entry point of reiser4 on a plain disk, before and after."""
    case = _case("reiser4-disk")
    return by_words(
        case.stack,
        kernel=_kernel(FOUR),
        parameter="fs.version",
        words=(BEFORE, AFTER),
        workload=case.workload,
    )


def reiser4_sentence(found: Words) -> str:
    """The answer: what the patch took off, and whether 4K is enough then."""
    by = {(p.task, p.word): p for p in found.points if p.task.endswith(" fs")}
    tasks = list(dict.fromkeys(task for task, _ in by))
    took = {t: by[t, BEFORE].needs_bytes - by[t, AFTER].needs_bytes for t in tasks}
    less = [n for n in took.values() if n > 0]
    groups = {
        fits: [t.removesuffix(" fs") for t in tasks if by[t, AFTER].fits is fits] for fits in _WORDS
    }
    more = [t.removesuffix(" fs") for t in tasks if took[t] <= 0]
    return (
        f"**The patch took {min(less):,} to {max(less):,} bytes off {len(less)} of {len(tasks)} entry points "
        f"(nothing off {', '.join(more) or 'none'}), and 4K is still not enough on a plain disk: after it "
        f"{', '.join(groups[True]) or 'no entry point'} fits for certain, {', '.join(groups[None]) or 'none'} "
        f"cannot be told, {', '.join(groups[False]) or 'none'} overflow{'s' if len(groups[False]) == 1 else ''}.**"
    )


def reiser4() -> Iterator[str]:
    """reiser4 before and after its patch."""
    yield from (
        "## “reiser4 cannot work with 4K stacks, a patch is in the works”",
        "",
        reiser4_sentence(reiser4_words()),
        "",
        "Derived from three states of its own history, built against 2.6.18; the tree has five levels (60 million "
        "leaves). Each cell: verdict, worst task, bytes as built by gcc 11 / with the flags of 2005.",
        "",
        "![What the patch took off each entry point of reiser4, on 4K stacks](img/reiser4.svg)",
        "",
        "| on | rule | 4K before | 4K after | 8K before | 8K after |",
        "|---|---|---|---|---|---|",
    )
    for scenario, what in _REISER4.items():
        for rule in RULES:
            cells = [
                _cell(_explained(scenario, kernel, rule, word))
                for kernel in (FOUR, EIGHT)
                for word in (BEFORE, AFTER)
            ]
            yield f"| {what} | {rule} | " + " | ".join(cells) + " |"
    yield from (
        "",
        "Made by `blockstack plot tasks reiser4-disk --word 2005-08 --word 2005-10 -o reiser4.svg`; a cell by "
        "`blockstack explain reiser4-before-md-iscsi --kernel linux-2.6.18-i386-8k --submission fifo`.",
    )


def deep_path() -> Iterator[str]:
    """dm over md over network disks, recursive and serialised."""
    kernel = _kernel(FOUR)
    yield from (
        "## “Very deep call paths are built by stacking block drivers”",
        "",
        f"{_case('dm-md-iscsi').description}. Derived. What one dm-linear level keeps on the stack in each direction, "
        "and what serialised `make_request` leaves of it: submissions wait in the task's list, so that their "
        "recursion is truncated; `unplug_fn`, `bio_endio` and `issue_flush_fn` call down or up the stack under "
        "every rule.",
        "",
        "| direction | per level, recursive | per level, serialised |",
        "|---|---:|---:|",
    )
    for name, step, kept in _directions(kernel):
        yield f"| {name} | {step:,} | {kept:,} |"
    yield from (
        "",
        "The same stack, task by task (derived; bytes as built by gcc 11 / with the flags of 2005; last, what they "
        "would be if they were as deep as stack dumps published in 2006):",
        "",
        f"| task | recursive | serialised | limit {kernel.platform.limit_bytes:,}: recursive | serialised | published factor, recursive |",
        "|---|---:|---:|---|---|---:|",
    )
    found = {r: {t.task: t for t in _explained("dm-md-iscsi", FOUR, r).tasks} for r in RULES}
    for task, deep in sorted(found["recursive"].items(), key=lambda item: -item[1].peak_bytes):
        flat = found["fifo"][task]
        yield (
            f"| {task} | {deep.peak_bytes:,} / {deep.other_build_bytes:,} | {flat.peak_bytes:,} / "
            f"{flat.other_build_bytes:,} | {_WORDS[deep.fits]} | {_WORDS[flat.fits]} | "
            + " to ".join(f"{n:,}" for n in deep.published_bytes)
            + " |"
        )
    yield from (
        "",
        "Made by `blockstack explain dm-md-iscsi --submission fifo` and `blockstack plot depth dm-md-iscsi`.",
    )


def _directions(kernel: Kernel) -> Iterator[tuple[str, int, int]]:
    """Bytes per dm-linear level: under the recursive rule, under a serialised one."""
    calls, gen, rows = KINDS["dm-linear"].calls["2.6.18"], kernel.generation, kernel.rows
    for name, path, link in (
        ("submission (`generic_make_request`)", calls.submit, gen.submit_link),
        ("flush (`issue_flush_fn`)", calls.flush, gen.flush_link),
        ("unplug (`unplug_fn`)", calls.unplug, gen.unplug_link),
        ("completion (`bio_endio`)", calls.endio, gen.endio_link),
    ):
        assert path is not None and link is not None
        step = rows.layer(path, link, nested=True).through.bytes
        yield name, step, 0 if link == gen.submit_link else step


def network() -> Iterator[str]:
    """A network file system on top."""
    yield from (
        "## “Put a network file system on top”",
        "",
        "Derived. nfsd (version 3) is a thread with a stack of its own: it takes requests and answers over UDP and TCP "
        "while the exported file system writes below. Each cell: verdict, worst task, bytes of both builds; and how "
        "many dm layers the exported file system may stand on with 4K stacks (`any` does not grow).",
        "",
        "| exported | rule | 4K | 8K | dm layers that fit in 4K |",
        "|---|---|---|---|---:|",
    )
    for scenario, what in _SERVERS.items():
        for rule in RULES:
            cells = [_cell(_explained(scenario, kernel, rule)) for kernel in (FOUR, EIGHT)]
            yield f"| {what} | {rule} | {' | '.join(cells)} | {_layers(scenario, rule)} |"
    yield from (
        "",
        "The client of the same network (derived):",
        "",
        "| client | 2.6.18, 4K | 2.6.24, 4K |",
        "|---|---|---|",
    )
    for scenario, what in (("nfs-client", "over TCP"), ("nfs-client-udp", "over UDP")):
        cells = [_cell(_explained(scenario, k, _kernel(k).rule)) for k in (ERA[0], ERA[2])]
        yield f"| {what} | {' | '.join(cells)} |"
    yield from (
        "",
        "Made by `blockstack explain raid-dm-nfs --max-layers dm-linear --submission fifo`.",
    )


def _layers(scenario: str, rule: str) -> str:
    case = _case(scenario)
    found = max_layers(
        case.stack, "dm-linear", kernel=_kernel(FOUR), submission=rule, workload=case.workload
    )
    counts = [row.layers for row in found if row.layers is not None]
    if not counts:
        return "any"
    return "none" if min(counts) < 0 else f"{min(counts):,}"


def windows() -> Iterator[str]:
    """NDISwrapper's three ways out."""
    yield from (
        "## “NDISwrapper”",
        "",
        "Assumed: a Windows driver that needs 8 KiB (nobody has published one; Windows gives it about three pages, which "
        "is published). Derived: all else. ext3 over iSCSI over a wireless card with such a driver.",
        "",
        "| the driver runs | 4K | 8K |",
        "|---|---|---|",
    )
    for scenario, what in _WINDOWS.items():
        cells = [_cell(_explained(scenario, kernel, "recursive")) for kernel in (FOUR, EIGHT)]
        yield f"| {what} | {' | '.join(cells)} |"
    yield from (
        "",
        "Made by `blockstack explain ndiswrapper-private --kernel linux-2.6.18-i386-8k`.",
    )


def everyone() -> Iterator[str]:
    """Who fits."""
    yield from (
        "## 4K for everyone?",
        "",
        "Derived: every shipped scenario that a kernel of the time can run, under that kernel's own rule. It fits only if "
        "both builds do; page reclaim and interrupts are counted. Deepest task as built by gcc 11; the last column is "
        "what 2.6.18 with 4K would say if its paths were as deep as stack dumps published in 2006 (published factor).",
        "",
        "| scenario | 2.6.18, 4K | 8K | 2.6.24, 4K | 8K | published factor, 4K |",
        "|---|---|---|---|---|---|",
    )
    fits = dict.fromkeys(ERA, 0)
    ran = dict(fits)
    for scenario in scenarios():
        cells, worst = [], ""
        for name in ERA:
            try:
                found = _explained(scenario, name, _kernel(name).rule)
            except UnsupportedKind:
                cells.append("–")
                continue
            ran[name] += 1
            fits[name] += found.fits is True
            cells.append(f"{_WORDS[found.fits]} {found.worst.peak_bytes:,}")
            worst = _WORDS[_as_published(found)] if name == FOUR else worst
        if set(cells) != {"–"}:
            yield f"| {scenario} | " + " | ".join(cells) + f" | {worst or '–'} |"
    told = "; ".join(f"{name.removeprefix('linux-')} {fits[name]} of {ran[name]}" for name in ERA)
    yield from ("", f"Who fits: {told}. A dash: that kernel has no such kind.")
    yield from ("", "Made by `blockstack check 'configs/*.toml' --kernel linux-2.6.18-i386-4k`.")


def _as_published(found: Explanation) -> bool | None:
    answers = {task.published_fits for task in found.tasks if task.published_bytes}
    return False if False in answers else None if None in answers else True


def since() -> Iterator[str]:
    """The same stacks on later kernels."""
    sizes = (8192, 16384)
    yield from (
        "## The same stacks on every kernel since",
        "",
        "Derived, under each kernel's own rule; ext3 is ext4's driver's from 4.3 on. reiser4 was never merged, "
        "NDISwrapper never either. Cells: verdict and deepest task.",
        "",
        "| scenario | "
        + " | ".join(f"{_short(k)}, {format_bytes(n)}" for k in SINCE for n in sizes)
        + " |",
        "|---|" + "---|" * len(SINCE) * len(sizes),
    )
    for scenario in _STACKS_OF_2005:
        stack = _today(_case(scenario).stack)
        cells = []
        for name in SINCE:
            for size in sizes:
                try:
                    kernel = _kernel(name).override(thread_size_bytes=size)
                    found = explain(stack, kernel=kernel, workload=_case(scenario).workload)
                except UnsupportedKind:
                    cells.append("–")
                    continue
                least = "" if found.worst.exact else "≥ "
                cells.append(f"{_WORDS[found.fits]} {least}{found.worst.peak_bytes:,}")
        yield f"| {scenario} | " + " | ".join(cells) + " |"
    yield from (
        "",
        'Made by `blockstack explain xfs-4k --kernel linux-6.1-x86_64 --thread-size "8 KiB"`.',
    )


#: of the time, as later kernels can run them
_STACKS_OF_2005: Sequence[str] = (
    *("dm-md-iscsi", "xfs-4k", "raid-dm-nfs", "nfsd-xfs-iscsi", "crypt", "snapshot"),
    *("nbd", "swap-reclaim", "nfs-client"),
)


def _short(kernel: str) -> str:
    return kernel.removeprefix("linux-")


def _today(stack: Stack) -> Stack:
    """The stack with ext4's driver for ext3."""
    copy = Stack(stack.name, stack.missing)
    for name, device in stack.devices.items():
        copy.add(name, "ext4" if device.kind == "ext3" else device.kind, **device.given)
    return copy


SECTIONS = (memory, reiser4, deep_path, network, windows, everyone, since)
