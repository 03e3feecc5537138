"""Entry points of the block layer: what lies on a task's stack before the first submit_bio."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from blockstack.base.calls import Path
from blockstack.base.errors import UnsupportedKind
from blockstack.engine.plan.arrays import OP_NAMES, WRITE
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.network import send
from blockstack.engine.plan.paths import LayeredPath, deepest, layered
from blockstack.generations import generations_with
from blockstack.kernel import CallPath
from blockstack.kinds import find_kind, served_hint
from blockstack.kinds.model import Kind, Worker
from blockstack.stack import Device, Stack


@dataclass(frozen=True)
class EntryPoint:
    """One entry point: a system call, a kernel thread, direct reclaim.

    Attributes
    ----------
    name : str
        The kind's word for it: ``write``, ``writeback``, ``reclaim`` ...
    op : int
    submit : LayeredPath
        To the block layer's entry; of network traffic, to the card's driver.
    data : bool
        The simulated bios of ``op`` come here; other points are bounded only.
    context : {"caller", "worker"}
        Whose stack: the calling task's, or a kernel thread's (flusher, journal, kswapd).
    path : Path or None
        The anchors that it was made from; None: network traffic.
    bios : tuple of int
        Operations that its bios can have, beside ``op``.
    """

    name: str
    op: int
    submit: LayeredPath
    data: bool
    context: str = "caller"
    path: Path | None = None
    bios: tuple[int, ...] = ()


@dataclass(frozen=True)
class Entries:
    """The entry points of one source into the device under it.

    ``completion`` runs from bio_endio to the deepest end_io of the source's own bios; ``unplug``
    to the call of the device's unplug_fn (kernels to 2.6.3x).
    """

    source: str
    lower: Device
    points: tuple[EntryPoint, ...]
    completion: LayeredPath
    submit: Mapping[int, LayeredPath] = field(default_factory=dict)
    unplug: LayeredPath | None = None


def block_device(stack: Stack, name: str) -> Device:
    """``name``, or what a filesystem in the middle of a stack (under a loop device) stands on.

    A file system that maps its bios over several devices itself (btrfs) is such a device.
    """
    device = stack.devices[name]
    while device.kind_entry.role == "source" and not device.maps_itself:
        lower = device.on[0] if device.on else device.nic
        assert lower is not None  # the stack's checks demand one
        device = stack.devices[lower]
    return device


def inner_sources(stack: Stack) -> tuple[str, ...]:
    """File systems in the middle: under a loop device, behind an NFS server."""
    roots = set(stack.roots())
    return tuple(
        name
        for name, device in stack.devices.items()
        if device.kind_entry.role == "source" and name not in roots
    )


def source_completion(stack: Stack, name: str, layers: Layers, direct: bool) -> LayeredPath:
    """From bio_endio to the deepest end_io of the bios that ``name`` issues; with ``direct``,
    those of O_DIRECT are among them.

    What an NFS server reads and writes are the bios of the file system below it.
    """
    device = stack.devices[name]
    while device.on and stack.devices[device.on[0]].kind_entry.role == "source":
        device = stack.devices[device.on[0]]
    kind = device.kind_entry if device.kind_entry.role == "source" else find_kind("raw")
    calls = kind.calls_for(layers.kernel.generation.name, device.params)
    if calls is None or calls.endio is None:
        unknown = (
            ()
            if device.kind_entry.role == "source" and not device.on
            else (f"the end_io of {kind.name}",)
        )
        return layered(device.name, CallPath((), unknown))
    link = layers.kernel.generation.endio_link
    paths = (calls.endio, *calls.more_ends, *(calls.direct_ends if direct else ()))
    return deepest(
        layered(device.name, layers.kernel.rows.layer(path, link, nested=False).peak)
        for path in paths
    )


def entries_of(
    stack: Stack,
    root: str,
    layers: Layers,
    ops: tuple[int, ...],
    direct: bool,
    *,
    strict: bool = True,
) -> Entries:
    """The entry points of the source ``root`` (of raw access, when ``root`` is a block device).

    Parameters
    ----------
    strict : bool
        Whether an operation without an entry point is an error.

    Raises
    ------
    UnsupportedKind
        The kernel does not have the source, or the source has no entry point for an operation.
    """
    top = stack.devices[root]
    kind = top.kind_entry if top.kind_entry.role == "source" else find_kind("raw")
    lower = block_device(stack, root)
    gen = layers.kernel.generation.name
    paths = kind.entries_for(gen, top.params)
    if paths is None:
        word = kind.word(top.params)
        have = ", ".join(generations_with(kind.entry_variants.get(word, kind.entries))) or "none"
        raise UnsupportedKind(
            f"{layers.kernel.name} has no {kind.label(top.params)}",
            path=f"devices.{root}.kind",
            value=kind.name,
            hint=f"kernel generations that have it: {have}" + served_hint(kind.name, gen),
        )
    points = []
    for op in ops:
        rows = layers.kernel.rows
        names = [
            n for n in _names(kind, op, direct) if n in paths and not rows.leaves_out(paths[n])
        ]
        names += [n for n in _beside(kind, paths, layers, OP_NAMES[op]) if _whole(layers, paths[n])]
        if not names and strict:
            raise UnsupportedKind(
                f"{kind.name} on {layers.kernel.name} issues no {OP_NAMES[op]}",
                path=f"devices.{root}",
                value=OP_NAMES[op],
                hint="its entry points: " + ", ".join(paths),
            )
        found = [
            (name, path)
            for name in names
            for path in _through_files(stack, top, layers, op, name, paths[name])
        ]
        points += [
            replace(
                _way(layers, root, name, op, path, lower, i == 0),
                bios=_bios(kind, layers, name),
            )
            for i, (name, path) in enumerate(found)
        ]
    unplug, link = None, layers.kernel.generation.unplug_link
    if link is not None and "unplug" in paths and lower.kind_entry.role != "nic":
        unplug = layered(root, layers.kernel.rows.spine(paths["unplug"], link))
    return Entries(
        root,
        lower,
        tuple(points),
        source_completion(stack, root, layers, direct),
        {point.op: point.submit for point in points if point.data},
        unplug,
    )


def _through_files(
    stack: Stack, top: Device, layers: Layers, op: int, name: str, path: Path
) -> tuple[Path, ...]:
    """A server's entry point, continued by the file system that it exports."""
    below = stack.devices[top.on[0]] if top.on else None
    if below is None or top.kind_entry.role != "source" or below.kind_entry.role != "source":
        return (path,)
    calls, word = layers.calls(below), layers.calls(top).file_ops.get(name)
    if word is not None:
        return tuple(path.then(file) for file in calls.files.get(word, ()))
    served = calls.submit_ops.get(OP_NAMES[op])
    return (path if served is None else path.then(served),)


def _bios(kind: Kind, layers: Layers, name: str) -> tuple[int, ...]:
    """Operations that an entry's bios can have beside its own; what they read was looked up in
    kernels from 6.1 on."""
    read = bool(layers.kernel.generation.environment)
    words = ("read", "write") if name in kind.beside else kind.entry_bios.get(name, ())
    found = (OP_NAMES.index(op) for op in words)
    return tuple(op for op in found if read or op == WRITE)


def _beside(kind: Kind, paths: Mapping[str, Path], layers: Layers, word: str) -> list[str]:
    """Entry points beside the workload's own, of one operation."""
    rows = layers.kernel.rows
    return [
        name
        for name, op in kind.beside.items()
        if op == word and name in paths and not rows.leaves_out(paths[name])
    ]


def _whole(layers: Layers, path: Path) -> bool:
    """Whether the kernel's table has all that the path asks for."""
    rows = layers.kernel.rows
    return not rows.lacking(path) and rows.spine(path, layers.kernel.generation.submit_link).exact


def not_bounded(stack: Stack, name: str, layers: Layers) -> tuple[str, ...]:
    """Entry points beside a source's own that this kernel's table cannot bound."""
    device = stack.devices[name]
    kind = device.kind_entry if device.kind_entry.role == "source" else find_kind("raw")
    paths = kind.entries_for(layers.kernel.generation.name, device.params) or {}
    return tuple(
        entry
        for word in ("read", "write")
        for entry in _beside(kind, paths, layers, word)
        if not _whole(layers, paths[entry])
    )


def _names(kind: Kind, op: int, direct: bool) -> tuple[str, ...]:
    """The kind's entry points for an operation, its data's own first."""
    word = OP_NAMES[op]
    if direct and f"{word}-direct" in kind.entry_ops:
        return tuple(kind.entry_ops[f"{word}-direct"])
    return tuple(kind.entry_ops.get(word, ()))


def _way(
    layers: Layers, source: str, name: str, op: int, path: Path, lower: Device, data: bool
) -> EntryPoint:
    gen, rows = layers.kernel.generation, layers.kernel.rows
    context = "worker" if path.root == "@kthread" else "caller"
    if lower.kind_entry.role == "nic":  # network traffic of the source's own, no bios below
        sent = send(layers.kernel, path, lower).path
        return EntryPoint(name, op, layered(source, sent), data, context)
    goal = gen.flush_link if name == "flush" and gen.flush_link else gen.submit_link
    return EntryPoint(name, op, layered(source, rows.spine(path, goal)), data, context, path)


def worker_entry(stack: Stack, device: Device, worker: Worker, layers: Layers) -> LayeredPath:
    """What lies on a worker's stack when it submits ``device``'s lower bios.

    A loop device's thread goes through the filesystem that holds its file, on the deepest of its
    file operations.
    """
    rows, path = layers.kernel.rows, worker.path
    goal = layers.kernel.generation.submit_link
    lower = stack.devices[device.on[0]]
    if lower.kind_entry.role != "source":
        return layered(device.name, rows.spine(path, goal))
    calls, own = layers.calls(lower), layers.calls(device)
    if own.file_ops:
        cuts = () if device.params.get("preallocated", True) else calls.allocated_cuts
        return deepest(
            _file_op(
                layers,
                device,
                lower,
                own.worker[op].path.then(replace(file, cuts=file.cuts + cuts)),
            )
            for op, word in own.file_ops.items()
            for file in calls.files.get(word, ())
        )
    if calls.submit is None:
        return layered(device.name, rows.spine(path, goal))
    return layered(f"{device.name}, {lower.name}", rows.spine(path.then(calls.submit), goal))


def _file_op(layers: Layers, device: Device, lower: Device, path: Path) -> LayeredPath:
    """A worker's way through a file to the block layer or, of a network file system, the card."""
    nic, rows = layers.nic(lower), layers.kernel.rows
    down = (
        rows.spine(path, layers.kernel.generation.submit_link)
        if nic is None
        else (send(layers.kernel, path, nic).path)
    )
    return layered(f"{device.name}, {lower.name}", down)
