"""Kernels by name: frame table, submission rule, platform; every part can be overridden."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from blockstack.base.errors import BlockstackError, UnknownKernel
from blockstack.kernel.generation import GENERATIONS, SPANS, Generation, generation, generation_of
from blockstack.kernel.interrupts import switch_path
from blockstack.kernel.platform import Platform
from blockstack.kernel.rows import RowSource
from blockstack.kernel.table import FrameTable, base_name, load_table
from blockstack.kinds.model import LIKE
from blockstack.version import __version__

RULES = ("recursive", "fifo", "two-list", "lifo")


def _i386_v2_6(thread_size_bytes: int, thread_info_bytes: int) -> Platform:
    """i386 of 2.6: 4K stacks (CONFIG_4KSTACKS) have interrupt stacks of their own."""
    small = thread_size_bytes == 4096
    return Platform(
        "i386",
        thread_size_bytes,
        thread_info_bytes,
        0,
        "separate" if small else "shared",
        thread_size_bytes if small else 0,
        0,
        "none",
        irq_stacks_with_4k=True,
    )


#: kernel/softirq.c, kernel/irq/manage.c and kernel/locking/spinlock_rt.c with CONFIG_PREEMPT_RT
_REAL_TIME = "PREEMPT_RT: interrupts run in threads and spinlocks sleep, the model has neither"


@dataclass(frozen=True)
class Profile:
    """What a shipped kernel name stands for."""

    data: str
    generation: str
    platform: Platform
    column: int = 1


# irq_entry_bytes: pt_regs (168, aligned to 176; 68 and 8) and the frames of common_interrupt (32;
# 20, and __common_interrupt's 36) from the tables, before the stack is switched.
# thread_info lives in task_struct since 4.9; SCHED_STACK_END_CHECK is on in Debian's configs;
# randomize_kstack_offset adds up to 0x3ff rounded down to the stack's alignment
_X86_64 = Platform(
    "x86_64", 16384, 0, 8, "separate", 16384, 208, "guard-page", offset_bytes=1016, guard_pages=1
)
# thread_info by hand from the structs: 2.6.24's restart_block holds a futex's arguments, four bytes
# more than 2.6.18's four words (commit ce6bd420f43b)
PROFILES: Mapping[str, Profile] = {
    "linux-2.6.18-i386-4k": Profile("linux-2.6.18-i386.json.gz", "2.6.18", _i386_v2_6(4096, 56)),
    "linux-2.6.18-i386-8k": Profile("linux-2.6.18-i386.json.gz", "2.6.18", _i386_v2_6(8192, 56)),
    "linux-2.6.24-i386-4k": Profile("linux-2.6.24-i386.json.gz", "2.6.24", _i386_v2_6(4096, 60)),
    "linux-2.6.24-i386-8k": Profile("linux-2.6.24-i386.json.gz", "2.6.24", _i386_v2_6(8192, 60)),
    "linux-6.1-i386": Profile(
        "linux-6.1-i386.json.gz",
        "6.1",
        Platform("i386", 8192, 0, 4, "separate", 8192, 132, "canary", offset_bytes=1020),
    ),
    "linux-6.1-x86_64": Profile("linux-6.1-x86_64.json.gz", "6.1", _X86_64),
    "linux-6.12-x86_64": Profile("linux-6.12-x86_64.json.gz", "6.12", _X86_64),
}


@dataclass(frozen=True)
class Kernel:
    """One kernel as the model sees it.

    Attributes
    ----------
    name : str
    table : FrameTable
    generation : Generation
    platform : Platform
    rule : str
        How a nested submission is handled: ``recursive``, ``fifo``, ``two-list`` or ``lifo``.
    rows : RowSource
        Bytes per layer, computed on demand from the frame table and remembered.
    overrides : tuple of str
        What was changed for a what-if, shown in every result.
    """

    name: str
    table: FrameTable
    generation: Generation
    platform: Platform
    rule: str
    rows: RowSource = field(repr=False, compare=False)
    overrides: tuple[str, ...] = ()

    @classmethod
    def make(cls, name: str, table: FrameTable, gen: Generation, platform: Platform) -> "Kernel":
        """A kernel with its generation's own rule."""
        whole = replace(table, renames=gen.other_names).with_assumed(gen.assumed)
        rows = RowSource(whole, gen, platform)
        if platform.irq_stacks_with_4k:
            switch = switch_path(rows)
            platform = replace(
                platform, irq_entry_bytes=switch.bytes, irq_entry_missing=switch.missing
            )
            rows = replace(rows, platform=platform)
        return cls(name, table, gen, platform, gen.rule, rows)

    def override(
        self,
        *,
        submission: str | None = None,
        thread_size_bytes: int | None = None,
        stack_offset: bool = True,
    ) -> "Kernel":
        """A what-if: another submission rule, another THREAD_SIZE, no randomised stack offset.

        Raises
        ------
        BlockstackError
            Unknown rule or impossible size.
        """
        kernel, changed = self, list(self.overrides)
        if submission is not None and submission != self.rule:
            if submission not in RULES:
                raise BlockstackError(
                    "no such submission rule",
                    path="submission",
                    value=submission,
                    hint="one of: " + ", ".join(RULES),
                )
            kernel = replace(kernel, rule=submission)
            changed.append(f"submission {submission} instead of {self.rule}")
        if thread_size_bytes is not None and (thread_size_bytes != self.platform.thread_size_bytes):
            platform = self.platform.with_thread_size(thread_size_bytes)
            kernel = kernel._on(platform)
            changed.append(
                f"thread size {thread_size_bytes} instead of "
                f"{self.platform.thread_size_bytes} bytes"
            )
        if not stack_offset and kernel.platform.offset_bytes:
            kernel = kernel._on(replace(kernel.platform, offset_bytes=0))
            changed.append("randomize_kstack_offset=off")
        return replace(kernel, overrides=tuple(changed))

    def _on(self, platform: Platform) -> "Kernel":
        if platform.offset_bytes == self.platform.offset_bytes:
            rows = replace(self.rows, platform=platform)  # rows do not depend on the thread size
        else:
            rows = RowSource(self.rows.table, self.generation, platform)
        return replace(self, platform=platform, rows=rows)

    def provenance(self) -> dict[str, Any]:
        """Where the frames come from, what the stack is like, and who says so."""
        meta = self.table.meta
        keys = ("kernel", "arch", "compiler", "provenance", "config", "date")
        return {k: str(meta[k]) for k in keys if k in meta} | {
            "table": self.table.digest,
            "thread_size_bytes": self.platform.thread_size_bytes,
            "guard": self.platform.guard,
            "blockstack": __version__,
        }


def read_frames(path: Path) -> FrameTable:
    """A frame table, or gcc's ``.su`` and ``.ci`` files and checkstack.pl's lists as one.

    Raises
    ------
    BlockstackError
        Unreadable, or of no known form.
    """
    if not path.is_file():
        raise BlockstackError(
            "no such kernel",
            path="kernel",
            value=str(path),
            hint="shipped: " + ", ".join(PROFILES) + "; or the path of a frame table",
        )
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if start[:1] == b"{" or start[:2] == b"\x1f\x8b":
        return load_table(path)
    from blockstack.kernel.extract.usage import usage_table

    return usage_table(path)


def load_kernel(name: str | Path) -> Kernel:
    """A shipped kernel by name, or any frame table by file path.

    Parameters
    ----------
    name : str or Path
        A key of `PROFILES`, or the path of a ``blockstack-frames-1`` file (made by
        ``blockstack kernel extract``); lists of frames without calls (``.su``, checkstack.pl)
        make every path a lower bound.

    Raises
    ------
    BlockstackError
        Unknown name, unreadable file, or a kernel version that no generation covers.
    """
    text = str(name)
    if text in PROFILES:
        return _shipped(text)
    path = Path(text)
    table = read_frames(path)
    gen = _generation_of(table, path)
    table = replace(table, expected=_expected(gen, table.arch))
    return Kernel.make(
        path.name.removesuffix(".gz").removesuffix(".json"),
        table,
        gen,
        _platform_of(table, gen, path),
    )


@cache
def _shipped(name: str) -> Kernel:
    """One object per name: its paths are found once, whoever asks."""
    profile = PROFILES[name]
    source = resources.files("blockstack.kernel") / "data" / profile.data
    with resources.as_file(source) as path:
        table = load_table(path, profile.column)
    return Kernel.make(name, table, generation(profile.generation), profile.platform)


@lru_cache(maxsize=8)
def shipped_functions(generation_name: str, arch: str) -> Mapping[str, str]:
    """Source files by function of the shipped kernel of a generation, or of the one it is like."""
    like = LIKE.get(generation_name, generation_name)
    name = next(
        (
            n
            for n, profile in PROFILES.items()
            if profile.generation == like and profile.platform.arch == arch
        ),
        None,
    )
    functions = {} if name is None else load_kernel(name).table.functions
    return {function: row[0] for function, row in functions.items()}


def _expected(gen: Generation, arch: str) -> frozenset[str]:
    return frozenset(map(base_name, shipped_functions(gen.name, arch)))


def _generation_of(table: FrameTable, path: Path) -> Generation:
    if str(table.meta.get("generation", "")) in GENERATIONS:
        return generation(str(table.meta["generation"]))
    gen = generation_of(version_of(str(table.meta["kernel"])))
    if gen is None:
        raise UnknownKernel(
            "no generation of the model covers this kernel",
            path=str(path),
            value=table.meta["kernel"],
            hint="covered: "
            + ", ".join(f"{_dotted(low)} to before {_dotted(high)}" for low, high, _ in SPANS)
            + "; or set meta.generation in the file to one of: "
            + ", ".join(GENERATIONS),
        )
    if "PREEMPT_RT" in str(table.meta["kernel"]):
        return replace(gen, doubt="; ".join(filter(None, (gen.doubt, _REAL_TIME))))
    return gen


def version_of(kernel: str) -> tuple[int, ...]:
    """``"Linux 6.12.117+deb12-amd64 ..."`` -> (6, 12, 117); (0, 0, 0) when it names none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", kernel)
    return tuple(int(part or 0) for part in match.groups()) if match else (0, 0, 0)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _platform_of(table: FrameTable, gen: Generation, path: Path) -> Platform:
    sizes = table.meta.get("thread_size")
    size = min(sizes) if isinstance(sizes, list) else sizes
    for profile in PROFILES.values():
        if profile.generation == LIKE.get(gen.name, gen.name) and (
            profile.platform.arch == table.arch
        ):
            base = profile.platform
            return base if size is None else base.with_thread_size(int(size))
    raise UnknownKernel(
        "no platform is known for this architecture and generation",
        path=str(path),
        value=f"{table.arch}, {gen.name}",
    )


def kernel_of(release: str, arch: str, named: Iterable[str | Path] = ()) -> Kernel:
    """The kernel that stands for a release: what fits it best of those named and those that ship.

    Parameters
    ----------
    release : str
        As ``uname -r`` prints it: ``6.1.0-56-amd64``.
    arch : str
    named : iterable of str or Path
        Kernels as `load_kernel` takes them.

    Returns
    -------
    Kernel
        A named one of this release, else of its version (6.1), else the shipped one of its
        version, else a named one of the architecture.

    Raises
    ------
    BlockstackError
        There is none.
    """
    version = version_of(release)[:2]
    fit = [k for k in map(load_kernel, named) if k.platform.arch == arch]
    same = [k for k in fit if version_of(str(k.table.meta["kernel"]))[:2] == version]
    exact = [
        k for k in same if release in re.split(r"linux-image-|\s", str(k.table.meta["kernel"]))
    ]
    shipped = f"linux-{_dotted(version)}-{arch}"
    if exact or same:
        return (exact or same)[0]
    if shipped in PROFILES:
        return load_kernel(shipped)
    if fit:
        return fit[0]
    raise BlockstackError(
        "no frame table for this kernel",
        path="kernel",
        value=f"{release}, {arch}",
        hint=f"make one of its vmlinuz and modules: blockstack kernel extract /boot/vmlinuz-"
        f"{release} /lib/modules/{release} -o TABLE.json.gz, then --kernel TABLE.json.gz",
    )
