"""Typed sites as the keys of a frame table: ``sites``, ``members`` and ``roots``."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from blockstack.kernel.extract.types.program import Program
from blockstack.kernel.extract.types.sites import Resolved, Site

#: where functions get a stack of their own: the slot that holds them
_ROOTS = {
    "work": ("work_struct.func",),
    "timer": ("timer_list.function", "hrtimer.function"),
    "thread": ("kthread_create_on_node#0", "kthread_create_on_cpu#0", "kernel_thread#0"),
    "irq": ("request_threaded_irq#1", "request_threaded_irq#2", "__request_percpu_irq#1"),
    "softirq": ("open_softirq#1", "tasklet_struct.func", "tasklet_struct.callback"),
    "rcu": ("call_rcu#1", "call_srcu#2"),
    "async": ("async_schedule_node_domain#0", "async_schedule_node#0"),
}
#: kernel/kthread.c calls ->threadfn of what lies on a list of the whole kernel
_GIVEN = {"kthread": "thread"}
#: functions whose address is taken, and nothing tells where it goes
LOOSE = "?"
#: members that may hold more than is known
LEAKY = "?more"
Key = Callable[[int, int], str | None]
Names = Callable[[int, int], Iterable[str]]


class Writer:
    """Labels and functions by the names that the frame table gives them."""

    def __init__(self, resolved: Resolved, key_of: Key) -> None:
        self.resolved, self.key_of = resolved, key_of
        self.program: Program = resolved.program
        self.labels: dict[int, str] = {}

    def name(self, function: int) -> str | None:
        """The frame table's key of a function."""
        return self.key_of(self.program.owners[function], self.program.starts[function])

    def label(self, slot: int) -> str:
        """What a slot is called; empty: it has no name."""
        if slot not in self.labels:
            self.labels[slot] = self._label(slot)
        return self.labels[slot]

    def _label(self, slot: int) -> str:
        slots = self.resolved.rules.slots
        what, a, b = slots.keys[slot]
        if what == "p":
            name = self.name(a)
            return f"{name}#{b}" if name else ""
        if what in "ga" and slots.labels[slot] and a:
            return f"{slots.labels[slot]}@{self.program.parts[a].tag}"
        return slots.labels[slot]

    def site(self, site: Site, depth: int) -> list[Any]:
        """``[depth, kind, [member, ...]]``."""
        labels = sorted(
            {label for slot in site.slots if self._told(slot) and (label := self.label(slot))}
            | {f"={name}" for n in site.direct if (name := self.name(n))}
        )
        kind = "open" if site.kind == "typed" and not labels else site.kind
        return [depth, kind, labels if kind == "typed" else []]

    def _told(self, slot: int) -> bool:
        """A variable is a pointer to functions if it ever holds one."""
        what = self.resolved.rules.slots.keys[slot][0]
        return what not in "ga" or bool(self.resolved.targets.get(slot))

    def members(self, wanted: Iterable[str]) -> dict[str, list[list[str]]]:
        """Functions of each slot, with who owns them."""
        keep = set(wanted)
        found: dict[str, dict[str, str]] = {label: {} for label in keep if label[:1] != "="}
        for slot, held in self.resolved.targets.items():
            label = self.label(slot)
            if label in found:
                for function, owner in held.items():
                    name = self.name(function)
                    if name is not None:
                        found[label].setdefault(name, owner)
        return {
            label: [list(row) for row in sorted(held.items())]
            for label, held in sorted(found.items())
        }


def typed_keys(
    resolved: Resolved, depths: Mapping[tuple[int, int], int], key_of: Key, names_of: Names
) -> dict[str, Any]:
    """``sites``, ``members`` and ``roots`` of a frame table.

    Parameters
    ----------
    resolved : Resolved
    depths : mapping of (image, address) to int
        Bytes in use at each site, the return address of its function included; a jump's are
        those that it leaves.
    key_of : callable
        The frame table's key of the function of an image at an address.
    names_of : callable
        All its keys.
    """
    writer = Writer(resolved, key_of)
    sites: dict[str, list[list[Any]]] = {}
    used: set[str] = set()
    owners, starts = resolved.program.owners, resolved.program.starts
    for site in resolved.sites:
        image = owners[site.function]
        depth = depths.get((image, site.at), 0) - 8 * site.tail
        given = _GIVEN.get(resolved.program.names[site.function][0])
        row = writer.site(site, max(depth, 0))
        if given and row[1] == "open":
            row = [row[0], "typed", list(_ROOTS[given])]
        used.update(row[2])
        for name in names_of(image, starts[site.function]):
            sites.setdefault(name, []).append(row)
    loose = {
        key: resolved.program.parts[owners[n]].tag
        for n in resolved.loose()
        if (key := writer.name(n)) is not None
    }
    roots = dict(_ROOTS)
    members = writer.members(used | {label for labels in roots.values() for label in labels})
    return {
        "sites": dict(sorted(sites.items())),
        "members": {
            LOOSE: [[f, tag] for f, tag in sorted(loose.items())],
            LEAKY: [[m, ""] for m in sorted({writer.label(s) for s in resolved.leaky()} & used)],
        }
        | members,
        "roots": {
            kind: sorted({name for label in labels for name, _ in members.get(label, ())})
            for kind, labels in roots.items()
        },
    }
