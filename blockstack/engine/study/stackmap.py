"""The stack as a reviewer draws it: alike devices as one box, what each costs, where tasks change.

Devices are alike when nothing but their names tells them apart: same kind, size and parameters,
above and below as well. Twenty-four disks of one array are one node with a count of 24.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from blockstack.base.shown import Shown
from blockstack.engine.depth.explain import explain, static_tasks
from blockstack.engine.depth.simulate import as_kernel
from blockstack.engine.plan.layers import Layers
from blockstack.engine.plan.model import Plan
from blockstack.kernel import Kernel
from blockstack.results.result import Explanation
from blockstack.stack import Device, Stack
from blockstack.stack.queue_limit_tree import DeviceLimits
from blockstack.workload import Workload

#: alike layers on each other from which on they are drawn as one
SHORTEST_RUN = 4
#: with more nodes than this, or more side by side, devices of one kind are alike whatever their
#: sizes and parameters
MOST_NODES, MOST_BESIDE = 45, 9
#: with more nodes on each other than this, a run is of any kinds
MOST_RANKS = 20
_Change = tuple[str, bool, str]  # task, whether all bios change to it, its thread or work queue


@dataclass(frozen=True)
class Node:
    """Alike devices.

    Attributes
    ----------
    names : tuple of str
    kind, detail : str
        The kind, or several with their numbers. The detail is the parameter that tells most: a
        driver, a RAID layout, a chunk.
    size_sectors : int
        Of one; of the largest where they differ (``sizes_differ``).
    max_sectors : int
        Largest request of the queue, of the smallest where they differ; 0: no queue.
    rank : int
        0 at the top; below everything that stands on it.
    nested : int
        Alike layers, one straight on the other, that are drawn as one.
    bytes : int
        Stack bytes of this layer on the deepest path of the task where it costs most.
    task : str
        That task.
    over : bool
        Whether it lies on a path that overflows.
    """

    names: tuple[str, ...]
    kind: str
    detail: str
    size_sectors: int
    sizes_differ: bool
    max_sectors: int
    rank: int
    nested: int = 1
    bytes: int = 0
    task: str = ""
    over: bool = False

    @property
    def count(self) -> int:
        """Alike devices side by side."""
        return len(self.names) // self.nested


@dataclass(frozen=True)
class Link:
    """An upper node stands on a lower one.

    Attributes
    ----------
    upper, lower : int
        Indices of the nodes.
    each : int
        Lower devices of this node per upper device.
    task : str
        Where bios change to a task of the upper device's own; empty: they stay on its caller.
    work : str
        That task's thread or work queue, without the device.
    always : bool
        Whether all of them change, or only some (what raid5 or a snapshot has to prepare).
    """

    upper: int
    lower: int
    each: int
    task: str = ""
    always: bool = True
    work: str = ""


@dataclass(frozen=True, repr=False)
class StackMap(Shown):
    """Nodes by rank, and links between them."""

    stack: str
    kernel: str
    submission: str
    fits: bool | None
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    provenance: Mapping[str, Any]

    def headline(self) -> str:
        """The stack and its verdict."""
        answer = {True: "fits", False: "overflows", None: "cannot tell"}[self.fits]
        return (
            f"{self.stack} on {self.kernel}, {self.submission}: {answer}; {len(self.nodes)} nodes"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def stack_map(
    stack: Stack,
    *,
    kernel: Kernel | str | Path,
    submission: str | None = None,
    workload: Workload | None = None,
) -> StackMap:
    """A stack with its alike devices collapsed and the bytes that `explain` finds for each.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule.
    workload : Workload or None
        Operations, direct or buffered, and the largest bio; None: every operation that the stack
        takes, buffered and direct, up to 1 MiB.

    Returns
    -------
    StackMap
        A node per device or group of devices alike, a link per pair that stand on each other;
        depths in bytes.

    Raises
    ------
    BlockstackError
        As for `explain`.
    """
    found = explain(stack, kernel=kernel, submission=submission, workload=workload)
    plan = static_tasks(stack, as_kernel(kernel).override(submission=submission), workload)[0].plan
    graph = stack.graph
    alike = alike_devices(stack)
    small = _quotient(graph, alike)
    runs = _runs(stack, small, _looks)
    if len(list(nx.topological_generations(_quotient(small, runs)))) > MOST_RANKS:
        runs = _runs(stack, small, lambda device: device.kind_entry.role)
    groups = {name: runs[group] for name, group in alike.items()}
    nested = Counter(runs.values())
    ranks = list(nx.topological_generations(_quotient(graph, groups)))
    rank = {group: i for i, row in enumerate(ranks) for group in row}
    order = [group for row in ranks for group in sorted(row)]
    number = {name: order.index(group) for name, group in groups.items()}
    members: dict[int, list[str]] = {}
    for name in stack.devices:
        members.setdefault(number[name], []).append(name)
    cost = _costs(found)
    nodes = tuple(
        _node(stack, tuple(members[i]), rank[group], nested[group], cost, plan.limits)
        for i, group in enumerate(order)
    )
    return StackMap(
        stack.name,
        found.kernel,
        found.submission,
        found.fits,
        nodes,
        tuple(_links(graph, alike, number, _handed_over(plan))),
        found.provenance,
    )


def alike_devices(stack: Stack) -> dict[str, str]:
    """For each device the first one that is like it, in the order from the top down."""
    found = _alike(stack, stack.graph, _looks)
    ranks = list(nx.topological_generations(_quotient(stack.graph, found)))
    if sum(map(len, ranks)) > MOST_NODES or max(map(len, ranks), default=0) > MOST_BESIDE:
        found = _alike(stack, stack.graph, lambda device: device.kind)
    return found


def _alike(stack: Stack, graph: nx.DiGraph, looks: Callable[[Device], Hashable]) -> dict[str, str]:
    """The first device that each one is like: from below, then told apart from above."""
    order = list(nx.topological_sort(graph))
    below: dict[str, Hashable] = {}
    classes: dict[Hashable, int] = {}

    def number(key: Hashable) -> int:
        return classes.setdefault(key, len(classes))

    for name in reversed(order):
        below[name] = number(
            (
                "below",
                looks(stack.devices[name]),
                tuple(sorted(number(below[s]) for s in graph.successors(name))),
            )
        )
    above: dict[str, int] = {}
    for name in order:
        above[name] = number(
            ("above", below[name], tuple(sorted({above[p] for p in graph.predecessors(name)})))
        )
    first: dict[int, str] = {}
    for name in order:
        first.setdefault(above[name], name)
    return {name: first[above[name]] for name in order}


def _runs(stack: Stack, graph: nx.DiGraph, looks: Callable[[Device], Hashable]) -> dict[str, str]:
    """The top of the run that each group is in: alike layers, one straight on the other."""
    top: dict[str, str] = {}
    for name in nx.topological_sort(graph):
        top.setdefault(name, name)
        lower = list(graph.successors(name))
        if (
            len(lower) == 1
            and graph.in_degree(lower[0]) == 1
            and (looks(stack.devices[lower[0]]) == looks(stack.devices[name]))
        ):
            top[lower[0]] = top[name]
    length = Counter(top.values())
    return {name: head if length[head] >= SHORTEST_RUN else name for name, head in top.items()}


def _looks(device: Device) -> Hashable:
    return device.kind, device.size_sectors, repr(sorted(device.params.items(), key=str))


def _quotient(graph: nx.DiGraph, groups: Mapping[str, str]) -> nx.DiGraph:
    small = nx.DiGraph()
    small.add_nodes_from(groups[name] for name in graph)
    small.add_edges_from((groups[u], groups[v]) for u, v in graph.edges if groups[u] != groups[v])
    return small


def _costs(found: Explanation) -> dict[str, tuple[int, str, bool]]:
    """Bytes of each layer where it costs most, the task, whether the path overflows."""
    cost: dict[str, tuple[int, str, bool]] = {}
    for task in found.tasks:
        spent: dict[str, int] = {}
        for frame in task.path:
            spent[frame.layer] = spent.get(frame.layer, 0) + frame.bytes
        for layer, n_bytes in spent.items():
            most, where, over = cost.get(layer, (0, "", False))
            best = (n_bytes, task.task) if n_bytes > most else (most, where)
            cost[layer] = (*best, over or task.fits is False)
    return cost


def _node(
    stack: Stack,
    names: tuple[str, ...],
    rank: int,
    nested: int,
    cost: Mapping[str, tuple[int, str, bool]],
    limits: Mapping[str, DeviceLimits],
) -> Node:
    device = stack.devices[names[0]]
    n_bytes, task = max((cost[n][:2] for n in names if n in cost), default=(0, ""))
    size = max(stack.devices[n].size_sectors for n in names)
    most = min((limits[n].limits.max_sectors for n in names if n in limits), default=0)
    kinds = Counter(stack.devices[n].kind for n in names)
    differ = len({stack.devices[n].size_sectors for n in names}) > 1
    return Node(
        names,
        _kinds(kinds),
        _detail(device) if len(kinds) == 1 else "",
        size,
        differ,
        most,
        rank,
        nested,
        n_bytes,
        task,
        any(cost[n][2] for n in names if n in cost),
    )


def _kinds(count: Mapping[str, int]) -> str:
    """``dm-linear``; of a run of several kinds ``dm-linear × 255, dm-crypt × 43``."""
    if len(count) == 1:
        return next(iter(count))
    return ", ".join(f"{kind} × {n}" for kind, n in sorted(count.items(), key=lambda i: -i[1]))


def _detail(device: Device) -> str:
    for key in ("driver", "layout", "chunk", "mode", "protocol"):
        if key in device.given:
            return str(device.given[key])
    return ""


def _handed_over(plan: Plan) -> dict[tuple[str, str], _Change]:
    """Per (upper, lower) whose bios change task: the task, whether all of them do, its work."""
    found: dict[tuple[str, str], _Change] = {}
    tasks = {
        (p.device.name, p.task, p.completion.bytes): plan.tasks[p.task] for p in plan.positions
    }
    for position in plan.positions:
        for (lower, _), (caller, worker, _) in zip(
            position.shape.children, position.children, strict=True
        ):
            if worker is not None:
                task = tasks[worker]
                found[position.device.name, lower] = (task.name, caller is None, task.work)
    return found | _sent(plan)


def _sent(plan: Plan) -> dict[tuple[str, str], _Change]:
    """Network devices and the task that hands their packets to the card."""
    layers = Layers(plan.kernel, plan.stack)
    found = {}
    for device in {p.device.name: p.device for p in plan.positions}.values():
        if device.nic is not None:
            for name, _, _, context in layers.transmissions(device):
                if context == "worker":
                    found[device.name, device.nic] = (f"{name} {device.name}", True, name)
    return found


def _links(
    graph: nx.DiGraph,
    alike: Mapping[str, str],
    number: Mapping[str, int],
    handed: Mapping[tuple[str, str], _Change],
) -> Iterable[Link]:
    each: dict[tuple[int, int], int] = {}
    changes: dict[tuple[int, int], _Change] = {}
    for upper, lower in graph.edges:
        pair = (number[upper], number[lower])
        if pair[0] == pair[1]:
            continue
        each[pair] = each.get(pair, 0) + (upper == alike[upper])
        if (upper, lower) in handed:
            changes.setdefault(pair, handed[upper, lower])
    for pair, n in sorted(each.items()):
        task, always, work = changes.get(pair, ("", True, ""))
        yield Link(*pair, n, task, always, work)
