"""What a device kind is: parameters, mapping, contexts, and its call paths per kernel generation.

A kind says what no frame table can: which function the block layer calls for the device, which
indirect calls its topology resolves, and where the work goes on in another task. The bytes are
never here; they come from the frame tables of real kernels.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from blockstack.base.calls import CutText, Path
from blockstack.generations import in_generation
from blockstack.kinds.records import Cache, Card, Parity, Peer, Receive, Record, SelfCall

Role = Literal["source", "stacked", "leaf", "nic"]
Split = Literal["loop", "front", "rest", "rest-mapped"]
Where = Literal["caller", "worker"]


@dataclass(frozen=True)
class Param:
    """One parameter of a kind.

    Parameters
    ----------
    name : str
        Key in the config.
    parse : callable
        ``parse(value, path) -> value``; raises `ConfigError` with the path.
    default : object
        Used when the key is absent; `REQUIRED` when it must be given.
    doc : str
        One line, with the unit.
    only : (str, object) or None
        Another parameter of the kind and the value that it must have for this one to be given.
    """

    name: str
    parse: Callable[[Any, str], Any]
    default: Any
    doc: str
    only: tuple[str, object] | None = None


REQUIRED: Any = object()


@dataclass(frozen=True)
class Worker:
    """A task that goes on with a bio: its name (``raid1d``) and the path from its root to the
    block layer's entry (the last anchor) or, for a task that submits nothing, to its deepest
    point. `per_device` is False for a thread that the whole system shares."""

    name: str
    path: Path
    per_device: bool = True


@dataclass(frozen=True)
class Calls:
    """How one kernel generation runs a kind.

    Attributes
    ----------
    submit : Path or None
        From the driver's entry (first anchor, called by the block layer) to the nested submit
        (for a stacked kind), or to the deepest local point (leaf). The generation's submit link
        is put before the first anchor, and after the last one, by the search.
    submit_ops : mapping of op to Path
        Ops whose path differs from ``submit``.
    worker : mapping of op to Worker
        Ops whose lower bios (stacked) or transmission (leaf) go on in another task.
    endio : Path or None
        From ``bio_endio``'s indirect call to the nested ``bio_endio`` of the upper bio. None: the
        completion goes no further on this stack (it wakes a thread).
    endio_stops : bool
        The end_io runs, but hands the upper bio's completion to a thread (raid5 wakes raid5d):
        the chain on this stack ends here.
    flush, unplug : Path or None
        issue_flush_fn and unplug_fn of kernels to 2.6.3x: recursion on the control path.
    split : {"loop", "front", "rest", "rest-mapped"}
        How a straddling bio is cut. ``loop``: all pieces in one call (2.6.20 drivers/md/dm.c
        __split_bio). ``front``: the front is mapped, then the rest is submitted anew (6.1 dm.c
        dm_split_and_process_bio). ``rest``: the rest is submitted before the front goes on (6.1
        block/blk-merge.c __bio_split_to_limits, md-linear.c linear_make_request).
        ``rest-mapped``: the rest is mapped before the front (6.1 raid0.c raid0_make_request).
    immediate : bool
        An uncut bio is remapped by return value: no nesting, no queueing (to 2.6.3x).
    ops : tuple of str
        Operations that the kind passes on in this generation.
    completion : Path or None
        Leaves: from the root of the context that completes a request (``@softirq``, ``@hardirq``,
        ``@kthread``) to ``bio_endio`` (the last anchor).
    inline_completion : bool
        The leaf completes inside the submit call (brd, null_blk).
    thread : Worker or None
        A task that goes on with bios for which the data decide, not the operation (raid456).
    threads : mapping of name to Path
        What further tasks of the device write to its lower devices: an array its superblock,
        dm-integrity its journal. To the submit.
    tasks : mapping of name to Path
        Further tasks that submit nothing, to their deepest point.
    plugged : Path or None
        From ``blk_finish_plug`` to the submit of writes that wait in the task's plug.
    parity, cache, self_call : Parity, Cache, SelfCall or None
        What arrays with parity, caches and kernels to 2.6.3x do by themselves.
    receive : Receive or None
        What TCP does with a segment for the device.
    sends_in_caller : bool
        It sends in the submitter's task, too, beside a worker.
    peer : Peer or None
        What there is only with a network card.
    card : Card or None
        How a network card receives.
    issues_clones : bool
        Request-based dm: a clone of the request goes to another queue, and no second bio.
    more_ends, direct_ends : tuple of Path
        A source's end_ios beside ``endio``: of any bio, of O_DIRECT's.
    allocated_cuts : tuple of cuts
        A file system's calls that no file leads to which was never preallocated.
    notes : mapping of parameter to mapping of value to str
        What is assumed where a parameter has a value.
    note : str
        What is assumed, with its source.
    files : mapping of word to tuple of Path
        File systems: what an operation on a file goes through below the VFS (``read``, ``write``,
        ``read-direct``, ``write-direct``, ``fsync``, ``write-sync``).
    file_ops : mapping of op or way to word
        A loop device's worker and a server's thread: which of these they do.
    """

    submit: Path | None = None
    submit_ops: Mapping[str, Path] = field(default_factory=dict)
    worker: Mapping[str, Worker] = field(default_factory=dict)
    endio: Path | None = None
    endio_stops: bool = False
    flush: Path | None = None
    unplug: Path | None = None
    split: Split = "loop"
    immediate: bool = False
    ops: tuple[str, ...] = ("read", "write", "flush")
    completion: Path | None = None
    inline_completion: bool = False
    thread: Worker | None = None
    threads: Mapping[str, Path] = field(default_factory=dict)
    tasks: Mapping[str, Path] = field(default_factory=dict)
    plugged: Path | None = None
    parity: Parity | None = None
    cache: Cache | None = None
    self_call: SelfCall | None = None
    receive: Receive | None = None
    sends_in_caller: bool = False
    peer: Peer | None = None
    card: Card | None = None
    issues_clones: bool = False
    more_ends: tuple[Path, ...] = ()
    direct_ends: tuple[Path, ...] = ()
    allocated_cuts: tuple[CutText, ...] = ()
    notes: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    note: str = ""
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    file_ops: Mapping[str, str] = field(default_factory=dict)

    def path_for(self, op: str, *, degraded: bool = False) -> Path | None:
        """The driver's path for one operation; a ``degraded`` array rebuilds what it reads."""
        return self.submit if degraded and op == "read" else self.submit_ops.get(op, self.submit)

    def workers(self) -> Iterator[Worker]:
        """The tasks that go on with bios, once per operation."""
        yield from self.worker.values()
        if self.thread is not None:
            yield self.thread

    def paths(self) -> Iterator[Path]:
        """Every path."""
        yield from self.submit_ops.values()
        yield from (worker.path for worker in self.workers())
        yield from (*self.threads.values(), *self.tasks.values())
        yield from (*self.more_ends, *self.direct_ends)
        yield from (path for paths in self.files.values() for path in paths)
        for value in vars(self).values():  # every record that has paths, a new one included
            if isinstance(value, Record):
                yield from value.paths()
        single = (self.submit, self.endio, self.flush, self.unplug, self.completion, self.plugged)
        yield from (path for path in single if path is not None)


@dataclass(frozen=True)
class Kind:
    """One entry of the registry.

    Attributes
    ----------
    name : str
        ``"dm-linear"``, ``"md-raid5"``, ``"iscsi"``, ``"xfs"`` ...
    role : {"source", "stacked", "leaf", "nic"}
        Sources only submit; leaves end a bio; a nic stands under network leaves.
    mapping : str
        ``leaf``, ``remap``, ``segments``, ``stripe``, ``mirror``, ``raid10``, ``raid456``,
        ``snapshot-origin``, ``snapshot``.
    arity : (int, int or None)
        Least and most lower devices (None: no bound).
    params : tuple of Param
    calls : mapping of generation to Calls
        A generation that is absent does not have the kind.
    entries : mapping of generation to mapping of name to Path
        Sources: the entry points, e.g. ``{"write": Path, "write-direct": Path, "fsync": Path}``;
        the last anchor is the generation's ``submit_bio``.
    entry_ops : mapping of op to tuple of str
        Sources: the entries that an operation (``write``, or ``write-direct`` with O_DIRECT) may
        take; the first is its data's own.
    entry_bios : mapping of entry to tuple of op
        Sources: the operations of an entry's bios beside its own: a write of a part of a block
        reads it first, a read with O_DIRECT writes dirty pages back.
    beside : mapping of entry to {"read", "write"}
        Sources: entry points that are met with whatever the workload does to the files' data
        (mkdir, stat, mount, a worker); bounded where a table has all of their functions, named
        where it has not.
    verb : str
        The method of `Stack` that adds it (``dm``, ``md``, ``loop`` ...).
    doc : str
        One line.
    variant : str or tuple of str
        Name of the parameter that chooses between call paths (a low-level driver, a mode), or
        names of those that do so together; empty when there is one path only. ``calls`` is then
        what holds for their defaults.
    rounds : str
        Name of the parameter that bounds a recursion of its entry points (`Path.climbs`): the
        height of a tree whose levels from the third on cost a round each.
    variants : mapping of word to mapping of generation to Calls
    entry_variants : mapping of word to mapping of generation to mapping of name to Path
        Sources: the entry points of each word; a word that is absent has ``entries``.
    """

    name: str
    role: Role
    mapping: str
    arity: tuple[int, int | None]
    doc: str
    params: tuple[Param, ...] = ()
    calls: Mapping[str, Calls] = field(default_factory=dict)
    entries: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    entry_ops: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entry_bios: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    verb: str = ""
    variant: str | tuple[str, ...] = ""
    rounds: str = ""
    variants: Mapping[Any, Mapping[str, Calls]] = field(default_factory=dict)
    entry_variants: Mapping[Any, Mapping[str, Mapping[str, Path]]] = field(default_factory=dict)

    def word(self, params: Mapping[str, Any]) -> Any:
        """What a device's parameters say of its call path, a key of ``variants``; None: nothing."""
        if isinstance(self.variant, str):
            return params.get(self.variant)
        defaults = {param.name: param.default for param in self.params}
        return tuple(params.get(name, defaults[name]) for name in self.variant)

    def calls_for(self, generation: str, params: Mapping[str, Any]) -> Calls | None:
        """How ``generation`` runs a device with these parameters; None: it does not have it."""
        word = self.word(params)
        calls = self.calls if word is None else self.variants.get(word, {})
        return in_generation(calls, generation)

    def label(self, params: Mapping[str, Any]) -> str:
        """The kind, with the word that chooses its call path: ``loop with direct = true``."""
        if self.word(params) is None:
            return self.name
        names = (self.variant,) if isinstance(self.variant, str) else self.variant
        words = ", ".join(f"{name} = {str(params.get(name, '')).lower()}" for name in names)
        return f"{self.name} with {words}"

    def entries_for(self, generation: str, params: Mapping[str, Any]) -> Mapping[str, Path] | None:
        """Entry points of a source with these parameters; None: ``generation`` lacks it."""
        word = self.word(params)
        found = in_generation(self.entry_variants.get(word, self.entries), generation)
        if found is None or not self.rounds:
            return found
        return {name: _rounds(path, params[self.rounds] - 2) for name, path in found.items()}


@cache
def _rounds(path: Path, times: int) -> Path:
    """A path whose functions that call themselves do so ``times`` times more than once."""
    return replace(path, climbs=tuple((name, times) for name, _ in path.climbs))
