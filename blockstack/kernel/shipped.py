"""Kernels by name: frame table, submission rule, platform; every part can be overridden."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from blockstack.base.environment import Environment
from blockstack.base.errors import BlockstackError, UnknownKernel
from blockstack.base.registry import RULES
from blockstack.base.shown import Shown
from blockstack.generations import GENERATIONS, Generation, generation, generation_of
from blockstack.generations.platform import Platform
from blockstack.kernel.choose import (
    DEFAULT,
    Build,
    build_of,
    closest,
    named_for,
    shipped_like,
    standing,
    stands_for,
)
from blockstack.kernel.host_rows import with_drivers
from blockstack.kernel.interrupts import switch_path
from blockstack.kernel.names import base_name
from blockstack.kernel.profiles import PROFILES
from blockstack.kernel.rows import RowSource
from blockstack.kernel.table import FrameTable, load_table
from blockstack.kernel.usage import usage_table
from blockstack.version import __version__

#: kernel/softirq.c, kernel/irq/manage.c and kernel/locking/spinlock_rt.c with CONFIG_PREEMPT_RT
_REAL_TIME = "PREEMPT_RT: interrupts run in threads and spinlocks sleep, the model has neither"


@dataclass(frozen=True, repr=False)
class Kernel(Shown):
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
    assumed : str
        What it takes to let this kernel stand for a host's own, shown in every result.
    doubt : str
        Why a depth on it is no verdict: the host whose stack it is runs another kernel.
    other_data : str
        The shipped table of `other_build`; empty: there is none.
    """

    name: str
    table: FrameTable
    generation: Generation
    platform: Platform
    rule: str
    rows: RowSource = field(repr=False, compare=False)
    overrides: tuple[str, ...] = ()
    assumed: str = ""
    doubt: str = ""
    other_data: str = ""

    def headline(self) -> str:
        """Name, size of a thread's stack, submission rule, build."""
        changed = f"; changed: {', '.join(self.overrides)}" if self.overrides else ""
        return (
            f"{self.name}, {self.platform.thread_size_bytes // 1024} KiB stacks, {self.rule}; "
            f"{self.table.headline()}{changed}"
        )

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
        environment: Environment | None = None,
    ) -> "Kernel":
        """A what-if: another submission rule, another THREAD_SIZE, no randomised stack offset;
        and what is told of the machine and its files.

        Parameters
        ----------
        submission : str or None
            A rule of `RULES`; None: as it is.
        thread_size_bytes : int or None
            THREAD_SIZE, a power of two from 4096; None: as it is.
        stack_offset : bool
            False: without ``randomize_kstack_offset``.
        environment : Environment or None
            What paths take for granted; None: as it is.

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
        if environment is not None and environment != self.environment:
            rows = replace(
                RowSource(kernel.rows.table, self.generation, kernel.platform),
                entered=self.rows.entered,
                more_cuts=self.rows.more_cuts,
                environment=environment,
            )
            kernel = replace(kernel, rows=rows)
        return replace(kernel, overrides=tuple(changed))

    def following(self, *budgets: str) -> "Kernel":
        """The same kernel with these budgets followed where the code lets them start."""
        return replace(self, rows=self.rows.following(frozenset(budgets)))

    @property
    def other_build(self) -> "Kernel | None":
        """The same source built with the flags of its time; None: there is no such table."""
        if not self.other_data:
            return None
        rows = _other_rows(self.other_data, self.generation.name, self.platform)
        return replace(self, table=rows.table, rows=rows, other_data="")

    @property
    def environment(self) -> Environment:
        """What its paths take for granted about the machine and the files."""
        return self.rows.environment

    @property
    def taken(self) -> tuple[str, ...]:
        """What letting this kernel stand for a host's takes for granted, or why it cannot."""
        return tuple(filter(None, (self.assumed, self.doubt)))

    def _on(self, platform: Platform) -> "Kernel":
        if platform.offset_bytes == self.platform.offset_bytes:
            rows = replace(self.rows, platform=platform)  # rows do not depend on the thread size
        else:
            rows = RowSource(
                self.rows.table, self.generation, platform, environment=self.environment
            )
        return replace(self, platform=platform, rows=rows)

    def provenance(self) -> dict[str, Any]:
        """Where the frames come from, what the stack is like, and who says so."""
        meta = self.table.meta
        keys = ("kernel", "arch", "compiler", "provenance", "config", "date")
        told = self.environment.to_dict()
        asked = {key: told[key] for key in self.generation.environment}
        return {k: str(meta[k]) for k in keys if k in meta} | {
            "table": self.table.digest,
            "thread_size_bytes": self.platform.thread_size_bytes,
            "guard": self.platform.guard,
            "blockstack": __version__,
            **({"environment": asked} if asked else {}),
        }


def read_frames(path: Path) -> FrameTable:
    """A frame table, or gcc's ``.su`` and ``.ci`` files and checkstack.pl's lists as one.

    Raises
    ------
    BlockstackError
        Unreadable, or of no known form.
    """
    try:
        found = path.is_file()
    except OSError:  # a name that no file can have
        found = False
    if not found:
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
    return usage_table(path)


def load_kernel(name: str | Path) -> Kernel:
    """A shipped kernel by name, or any frame table by file path.

    Parameters
    ----------
    name : str or Path
        A key of `PROFILES`, or the path of a ``blockstack-frames-1`` file (made by
        ``blockstack kernel extract``); lists of frames without calls (``.su``, checkstack.pl)
        make every path a lower bound.

    Returns
    -------
    Kernel
        Frame table, generation and platform, under the submission rule of its own.

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
    shipped = shipped_functions(gen.name, table.arch)
    table = replace(table, expected=frozenset(map(base_name, shipped)))
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
        table = with_drivers(load_table(path, profile.column), profile.data)
    kernel = Kernel.make(name, table, generation(profile.generation), profile.platform)
    return replace(kernel, other_data=profile.other_data)


@cache
def _other_rows(data: str, gen: str, platform: Platform) -> RowSource:
    """Rows of the same source, built otherwise."""
    with resources.as_file(resources.files("blockstack.kernel") / "data" / data) as path:
        table = load_table(path)
    return Kernel.make(data, table, generation(gen), platform).rows


@lru_cache(maxsize=8)
def shipped_functions(generation_name: str, arch: str) -> Mapping[str, str]:
    """Source files by function of the shipped kernel of a generation, or of the one it is like."""
    name = next(iter(shipped_like(generation_name, arch)), None)
    functions = {} if name is None else load_kernel(name).table.functions
    return {function: row[0] for function, row in functions.items()}


def _generation_of(table: FrameTable, path: Path) -> Generation:
    if str(table.meta.get("generation", "")) in GENERATIONS:
        return generation(str(table.meta["generation"]))
    gen = generation_of(build_of(str(table.meta["kernel"]), table.arch).version)
    if gen is None:
        raise UnknownKernel(
            "no generation of the model covers this kernel",
            path=str(path),
            value=table.meta["kernel"],
            hint="covered: "
            + ", ".join(
                f"{_dotted(low)} to before {_dotted(high)}"
                for one in GENERATIONS.values()
                for low, high in one.spans
            )
            + "; or set meta.generation in the file to one of: "
            + ", ".join(GENERATIONS),
        )
    if "PREEMPT_RT" in str(table.meta["kernel"]):
        return replace(gen, doubt="; ".join(filter(None, (gen.doubt, _REAL_TIME))))
    return gen


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _platform_of(table: FrameTable, gen: Generation, path: Path) -> Platform:
    sizes = table.meta.get("thread_size")
    size = min(sizes) if isinstance(sizes, list) else sizes
    for name in shipped_like(gen.name, table.arch):
        base = PROFILES[name].platform
        return base if size is None else base.with_thread_size(int(size))
    raise UnknownKernel(
        "no platform is known for this architecture and generation",
        path=str(path),
        value=f"{table.arch}, {gen.name}",
    )


def own_build(kernel: Kernel) -> Build:
    """Which build a kernel's frame table is of."""
    return build_of(str(kernel.table.meta["kernel"]), kernel.platform.arch)


def kernel_for(
    name: str | None,
    host: Build | None = None,
    *,
    said: bool = False,
    load: Callable[[str], Kernel] = load_kernel,
) -> Kernel:
    """The kernel that a stack is judged on, with what that takes for granted.

    Parameters
    ----------
    name : str or None
        As `load_kernel` takes it. None: what stands for the host's, else the default.
    host : Build or None
        What the stack's host says of its kernel; None: it is no host's.
    said : bool
        Somebody has said that it stands for the host's: no doubt is left.
    load : callable
        Finds a kernel by its name; one that remembers those of a fleet.

    Raises
    ------
    BlockstackError
        As `load_kernel`.
    """
    if host is None:
        kernel = load(name or DEFAULT)
        return (
            kernel if name else replace(kernel, assumed=f"no kernel is named; {DEFAULT} is assumed")
        )
    kernel = load(name or stands_for(host).name)
    choice = (named_for if said else standing)(kernel.name, own_build(kernel), host)
    return replace(kernel, assumed=choice.assumed, doubt=choice.doubt)


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
        See `closest`.

    Raises
    ------
    BlockstackError
        There is none.
    """
    kernels = {str(name): load_kernel(name) for name in named}
    name = closest(release, arch, {name: own_build(k) for name, k in kernels.items()})
    if name is not None:
        return kernels[name] if name in kernels else load_kernel(name)
    raise BlockstackError(
        "no frame table for this kernel",
        path="kernel",
        value=f"{release}, {arch}",
        hint=f"make one of its vmlinuz and modules: blockstack kernel extract /boot/vmlinuz-"
        f"{release} /lib/modules/{release} -o TABLE.json.gz, then --kernel TABLE.json.gz",
    )
