"""The devices of a stack to be: which are in, which are left out and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.base.hints import listed
from blockstack.hosts.model.host import Host, Node, Untold

UNKNOWN = "unknown"  # --skip's word for every kind that the registry lacks


@dataclass
class DraftDevice:
    """A device of the stack to be, by its name there; ``table``: its places are those of a dm
    table."""

    name: str
    kind: str
    on: list[str]
    keys: dict[str, Any]
    node: Node | None = None
    table: bool = False


@dataclass
class Draft:
    """A host's devices by name; what is left out, each with its reason.

    ``generation``: of the kernel that stands for the host's. ``untold_fs``: what a file system is
    taken for whose type no source tells; empty: it is left out. ``guessed``: those so taken.
    """

    host: Host
    skip: frozenset[str]
    generation: str
    untold_fs: str = ""
    guessed: set[str] = field(default_factory=set)
    devices: dict[str, DraftDevice] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)  # of nodes, by identity
    left: dict[str, str] = field(default_factory=dict)  # name of what is left out → why
    unknown: dict[str, tuple[str, bool]] = field(default_factory=dict)  # name → kind, skipped
    stands_on: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of what is missing
    asked: set[str] = field(default_factory=set)  # names that the user asked to leave out
    problems: dict[str, BlockstackError] = field(default_factory=dict)

    def name_of(self, node: Node) -> str:
        """A node's name in the stack, given once."""
        if id(node) not in self.names:
            name = "_".join(node.label.split())[:200]
            taken = set(self.names.values()) if name in self.devices else ()
            while name in self.devices or name in taken:
                name += "~"
            self.names[id(node)] = name
        return self.names[id(node)]

    def skips(self, *words: str) -> bool:
        """Whether the user asked to leave out one of these."""
        return bool(self.skip & set(words))

    def miss(self, name: str, why: str, on: Iterable[str] = ()) -> None:
        """What may carry I/O and is not modelled, wherever it is: the stack never fits for
        certain. ``on``: devices that it stands on, as far as they are told."""
        self.unknown.setdefault(name, (why, True))
        self.left[name] = why
        self.stands_on[name] = tuple(on)

    def omit(self, name: str, why: str) -> None:
        """Leave out what the user asked to leave out, though it may lie on a path."""
        self.asked.add(name)
        self.left[name] = why

    def missing(self) -> dict[str, str]:
        """What is left out and may lie on a path; what stands on it is not told again."""
        return {n: why for n, why in self.left.items() if n in self.unknown or n in self.asked}

    def cannot(self, name: str, error: BlockstackError) -> None:
        """A device that the sources tell of and the model cannot have.

        ``--skip unknown`` leaves it out with its reason, else it is an error.
        """
        if UNKNOWN not in self.skip:
            raise error
        add = f"; {error.hint}" if isinstance(error, Untold) else ""
        self.unknown[name] = (error.message, True)
        self.left[name] = error.message + add

    def why_empty(self) -> str:
        """The way out when no device is in."""
        if self.left:
            return "left out: " + listed(f"{n} ({w})" for n, w in self.left.items())
        return "give a source that names disks: /sys, lsblk --json -O -b, dmsetup table"

    def drop_left_out(self) -> None:
        """What stands on a device that is left out is left out, too."""
        upper: dict[str, list[str]] = {}
        for one in self.devices.values():
            for lower in one.on:
                upper.setdefault(lower, []).append(one.name)
        todo = [n for n in upper if n not in self.devices]
        seen = set(todo)
        while todo:
            lower = todo.pop()
            for name in upper.get(lower, ()):
                if name not in seen:
                    seen.add(name)
                    todo.append(name)
                    self.left[name] = f"stands on {lower}, which is left out"
                    del self.devices[name]
