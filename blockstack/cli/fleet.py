"""The hosts of a fleet: each one's verdict, and what all come to."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from blockstack.base.errors import BlockstackError, UnsupportedKind
from blockstack.cli.common import open_each
from blockstack.cli.this_host import captured_frames
from blockstack.engine.depth.drivers import untold_drivers
from blockstack.engine.depth.explain import explain_briefly
from blockstack.hosts.draft import UNKNOWN
from blockstack.hosts.narrow import Narrowed
from blockstack.hosts.sniff import is_source
from blockstack.kernel import PROFILES, Kernel, load_kernel
from blockstack.kernel.choose import Build, candidates
from blockstack.present.tables.fleet import verdict_word
from blockstack.results.result import Explanation, TaskDepth
from blockstack.scenario.chosen import load_chosen, taken_for_granted
from blockstack.scenario.config import Config, config_to_dict, load_config
from blockstack.stack import Stack

#: what the model has of file systems on one block device (ext2 and ext3 are served by ext4's)
TYPES = ("xfs", "btrfs", "ext4", "f2fs", "vfat")


@dataclass
class HostRow:
    """One host: its deepest path on its own kernel, and the headroom on each kernel.

    ``kernel``: the one of those judged on that leaves least; ``kernel_assumed``: what it takes to
    let it stand for the host's. ``headroom`` None: that kernel cannot run the stack. On a kernel
    in ``at_most`` a frame of the deepest path is not known: its headroom is an upper bound.
    ``fits`` None: cannot tell, see ``why``; ``reasons`` are those of every task that makes it so.
    ``same_as``: the host whose stack is the same, computed first.
    """

    source: str
    host: str = ""
    devices: int = 0
    kernel: str = ""
    kernel_assumed: str = ""
    fits: bool | None = None
    deepest: TaskDepth | None = None
    headroom: dict[str, int | None] = field(default_factory=dict)
    at_most: list[str] = field(default_factory=list)
    why: str = ""
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    failed: bool = False
    reasons: tuple[str, ...] = ()
    same_as: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        deepest = self.deepest
        return {
            "source": self.source,
            "host": self.host,
            "devices": self.devices,
            "kernel": self.kernel,
            "kernel_assumed": self.kernel_assumed,
            "fits": self.fits,
            "why": self.why,
            "deepest": None
            if deepest is None
            else {
                "task": deepest.task,
                "context": deepest.context,
                "peak_bytes": deepest.peak_bytes,
                "limit_bytes": deepest.limit_bytes,
                "headroom_bytes": deepest.headroom_bytes,
                "exact": deepest.exact,
                "other_build_bytes": deepest.other_build_bytes,
                "published_bytes": list(deepest.published_bytes),
                "published_fits": deepest.published_fits,
            },
            "headroom_bytes": self.headroom,
            "at_most": list(self.at_most),
            "read": not self.failed,
            "assumed": list(self.assumed),
            "left_out": list(self.left_out),
            "reasons": list(self.reasons),
        }


def hosts_of(patterns: Sequence[str]) -> list[str]:
    """The sources, patterns that the shell did not expand expanded, each once."""
    found: dict[str, None] = {}
    for pattern in patterns:
        base = Path("/" if pattern.startswith("/") else ".")
        names = (
            []
            if not re.search(r"[*?\[]", pattern) or _exists(pattern)
            else sorted(str(path) for path in base.glob(pattern.lstrip("/")))
        )
        found |= dict.fromkeys(names or [pattern])
    return list(found)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):
        return False


class Fleet:
    """Judges hosts one by one; stacks that are alike on the same kernels are computed once.

    Parameters
    ----------
    kernels : sequence of str
        Judged on these; empty: on each host's own or what stands for it.
    skip : sequence of str
        Left out of every host.
    narrowed : Narrowed or None
        What the user says of drivers and file systems.
    """

    def __init__(
        self,
        kernels: Sequence[str] = (),
        skip: Sequence[str] = (),
        narrowed: Narrowed | None = None,
    ) -> None:
        self.kernels, self.skip, self.narrowed = kernels, skip, narrowed
        self.own: dict[str, str] = {}  # frame tables of some hosts' own kernels
        self.load = cache(load_kernel)  # a kernel's rows are remembered from host to host
        for name in kernels:
            self.load(name)
        self._known: dict[bytes, HostRow] = {}

    def check(self, source: str) -> HostRow:
        """One row; a source that cannot be read says why, and stops nothing."""
        row = HostRow(source, kernel=" ".join(self.kernels))
        try:
            cases, row.left_out = self._open(source)
            first = next(iter(cases.values()))
            row.host, row.devices = first.stack.name, len(first.stack.devices)
            known = _over_types(
                {fs: self._judged_once(case, others=case is first) for fs, case in cases.items()}
            )
            return replace(
                known, source=source, host=row.host, left_out=row.left_out, same_as=known.host
            )
        except BlockstackError as error:
            row.why, row.failed, row.fits = str(error), True, None
            row.reasons = (error.message,)
        return row

    def _judged_once(self, case: Config, *, others: bool) -> HostRow:
        alike = _alike(case)
        if alike not in self._known:
            self._known[alike] = self._judge(case, others=others)
        return self._known[alike]

    def _open(self, source: str) -> tuple[Mapping[str, Config], tuple[str, ...]]:
        """The case; where a source leaves the type of a file system untold, one for each type."""
        if not is_source(source):
            return {"": load_config(source)}, ()
        kernel = self.kernels[0] if self.kernels else self.own.get(source)
        skip = (*self.skip, UNKNOWN)
        each = open_each([source], kernel, skip, self.narrowed, TYPES)
        first = next(each)
        own = None if kernel is not None else captured_frames(source, first[0])[0]
        if own is not None:
            each = open_each([source], own, skip, self.narrowed, TYPES)
            first = next(each)
        cases = {TYPES[0]: first[0]}
        if not first[1].guessed:
            return cases, first[1].left_out
        for fs, (case, _) in zip(TYPES[1:], each, strict=True):
            cases[fs] = case
        return cases, first[1].left_out

    def _judge(self, case: Config, *, others: bool) -> HostRow:
        """Its verdict; with ``others`` also the headroom on every kernel that ships."""
        stack = case.stack
        row = HostRow("", stack.name, len(stack.devices), " ".join(self.kernels))
        judged = self._judged(case)
        row.assumed = tuple(
            dict.fromkeys(
                text
                for kernel in judged
                for text in (*taken_for_granted(case, kernel), *untold_drivers(stack, kernel))
            )
        )
        any_of = not self.kernels and len(judged) > 1
        found = {kernel.name: _on_kernel(row, stack, kernel, lacking=any_of) for kernel in judged}
        if others and not self.kernels:
            for name in PROFILES:
                if name not in row.headroom:
                    _headroom(row, stack, self.load(name))
        _verdict(row, found, any_of=any_of)
        return row

    def _judged(self, case: Config) -> list[Kernel]:
        """The kernels asked for; else the host's own or its stand-in; else all that it may run."""
        if not self.kernels and case.host_kernel and not case.kernel_given:
            host = Build.parse(case.host_kernel)
            if not host.version:
                return [self.load(name) for name in candidates(host)]
        given: list[str | None] = [*self.kernels] or [None]
        return [load_chosen(case, name, None, self.load) for name in given]


def _over_types(found: Mapping[str, HostRow]) -> HostRow:
    """A verdict over the types that a file system may have: of all alike, or those that divide.

    ``found``: by type; of a host of which every type is told, one row.
    """
    rows = list(found.values())
    if len(rows) == 1:
        return rows[0]
    of_types = ", ".join(found)
    answers = {row.fits for row in rows}
    fits = next(iter(answers)) if len(answers) == 1 else None
    worst = min(rows, key=lambda row: row.deepest.headroom_bytes if row.deepest else 0)
    name = next(fs for fs, row in found.items() if row is worst)
    told = worst if fits is not None else next(row for row in rows if row.fits is not True)
    divided = ", ".join(fs for fs, row in found.items() if row.fits is not True)
    why = f"does not fit for certain with {divided}" if True in answers and fits is None else ""
    assumed = f"file systems whose type no source tells: any of {of_types} (worst: {name})"
    return replace(
        worst,
        headroom={**rows[0].headroom, **worst.headroom},
        fits=fits,
        why="; ".join(filter(None, (why, told.why))),
        reasons=(*filter(None, (why,)), *told.reasons),
        assumed=(*worst.assumed, assumed),
    )


def _alike(case: Config) -> bytes:
    """What a verdict depends on: the config without the words about it."""
    words = ("name", "description", "workload")
    plain = {key: value for key, value in config_to_dict(case).items() if key not in words}
    return json.dumps(plain, default=str).encode()


class _Answer(NamedTuple):
    """The verdict on one kernel, and why it is not "fits"."""

    fits: bool | None
    headroom_bytes: int
    why: str
    reasons: tuple[str, ...]


def _verdict(row: HostRow, found: Mapping[str, _Answer], *, any_of: bool) -> None:
    """The verdict over the kernels judged on: of one that a host may run, all must agree."""
    answers = {one.fits for one in found.values()}
    if any_of:
        names = ", ".join(found)
        row.kernel_assumed = f"no source tells the host's kernel; judged on each of {names}"
        row.assumed = (*row.assumed, row.kernel_assumed)
        row.fits = next(iter(answers)) if len(answers) == 1 else None
    else:
        row.fits = False if False in answers else None if None in answers else True
    if row.fits is True:
        return
    wanted = (row.fits,) if row.fits in answers else (False, None)
    told = min(
        (one for one in found.values() if one.fits in wanted), key=lambda one: one.headroom_bytes
    )
    row.why, row.reasons = told.why, told.reasons
    if any_of and False in answers and len(answers) > 1:
        over = ", ".join(name for name, one in found.items() if one.fits is False)
        divided = f"overflows on {over}, not on every kernel"
        row.why = "; ".join(filter(None, (divided, row.why)))
        row.reasons = (divided, *row.reasons)


def _on_kernel(row: HostRow, stack: Stack, kernel: Kernel, *, lacking: bool) -> _Answer:
    """The verdict on one kernel; it cannot tell if it may lack a kind and does."""
    try:
        found = explain_briefly(stack, kernel)
    except UnsupportedKind as error:
        if not lacking:
            raise
        row.headroom[kernel.name] = None
        return _Answer(None, 0, str(error), (error.message,))
    _note(row, kernel, found)
    if row.deepest is None or found.worst.headroom_bytes < row.deepest.headroom_bytes:
        row.deepest, row.kernel, row.kernel_assumed = found.worst, kernel.name, kernel.assumed
    return _answer(found)


def _answer(found: Explanation) -> _Answer:
    """Why the verdict is what it is: of the deepest of the tasks that make it so."""
    guilty = sorted(
        (task for task in found.tasks if task.fits is found.fits), key=lambda t: t.headroom_bytes
    )
    if found.fits is True or not guilty:
        return _Answer(found.fits, found.worst.headroom_bytes, "", ())
    first = guilty[0]
    over = (
        f"{first.task} needs {first.peak_bytes:,} of {first.limit_bytes:,} bytes"
        if first.peak_bytes > first.limit_bytes
        else ""
    )
    reasons = tuple(dict.fromkeys(reason for task in guilty for reason in task.reasons))
    return _Answer(
        found.fits,
        first.headroom_bytes,
        "; ".join(filter(None, (over, first.why))),
        (*([f"a task needs more than there is: {first.task}"] if over else []), *reasons),
    )


def _note(row: HostRow, kernel: Kernel, found: Explanation) -> None:
    row.headroom[kernel.name] = found.worst.headroom_bytes
    if not found.worst.exact:
        row.at_most.append(kernel.name)


def _headroom(row: HostRow, stack: Stack, kernel: Kernel) -> None:
    try:
        _note(row, kernel, explain_briefly(stack, kernel))
    except UnsupportedKind:
        row.headroom[kernel.name] = None


@dataclass
class Tally:
    """What a fleet comes to, so far.

    Attributes
    ----------
    verdicts : counter of ``fits``, ``overflows``, ``cannot tell``, ``not read``
    reasons : mapping of str to list of str
        Why verdicts are not "fits", without figures and names, and the hosts.
    assumed : counter of what is taken for granted
    stacks : int
        Different stacks among them.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    assumed: Counter[str] = field(default_factory=Counter)
    answers: set[bool | None] = field(default_factory=set)
    read: int = 0
    hosts: int = 0

    def add(self, row: HostRow) -> None:
        """One more host."""
        self.hosts += 1
        self.read += not row.failed
        self.answers.add(row.fits)
        self.verdicts["not read" if row.failed else verdict_word(row.fits)] += 1
        for reason in dict.fromkeys(map(_kind_of, row.reasons)):
            self.reasons.setdefault(reason, []).append(row.host or row.source)
        self.assumed.update(row.assumed)

    @property
    def fits(self) -> bool | None:
        """The verdict over all of them."""
        return False if False in self.answers else None if None in self.answers else True

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: counts, and reasons with their hosts, most first."""
        return {
            "verdicts": dict(self.verdicts),
            "reasons": [
                {"reason": reason, "hosts": hosts}
                for reason, hosts in sorted(self.reasons.items(), key=lambda r: -len(r[1]))
            ],
        }


def _kind_of(reason: str) -> str:
    """A reason without its particulars: figures, and the names behind a colon."""
    return re.split(r":| (?=[\d<>])", reason, maxsplit=1)[0].strip()
