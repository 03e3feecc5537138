"""One host as its tools describe it: nodes by number and name, facts by source, who mounts what.

Readers put facts here; nothing is decided before all sources are read. A device is one node
however many names it has (``8:0``, ``sda``, ``mapper/vg-lv``); of two sources that tell the same
field, the one that stands nearer to the kernel wins (`facts.SOURCES`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from blockstack.base.errors import BlockstackError
from blockstack.hosts.model.facts import ROUNDED, Facts, QueueFacts, Source

_NUMBER = re.compile(r"(\d{1,8}):(\d{1,8})\Z")
#: a blank in a name, as udev (``\\x20``) and the kernel's lists (``\\040``) write it
_ESCAPED = re.compile(r"\\x([2-7][0-9a-fA-F])|\\([01][0-7]{2})")
_SPLIT_NAMES = ("cciss/", "ida/", "rd/", "etherd/")  # drivers whose disk names hold a slash
_SPECIAL = ("mapper/", "md/", "disk/", "block/", "bcache/by-", "loop-", "nbd-", "zvol/", "drbd/by-")
MAX_NODES = 200_000


class SourceError(BlockstackError):
    """A source that cannot be read as what it looks like, or sources that contradict."""


class Contradiction(SourceError):
    """Sources that say different things of one device: no source of a folder is passed over."""


class Untold(SourceError):
    """What no source tells and another source would: the hint says which to add."""


def canonical(name: str) -> str:
    """One spelling of a device's name: ``/dev/sda`` and ``sda`` are ``sda``; ``/dev/vg-a/lv`` is
    ``mapper/vg--a-lv``, as device mapper doubles LVM's dashes; ``/dev/block/8:0`` is ``8:0``;
    ``cr\\x20#1`` and ``cr\\040#1`` are ``cr #1``."""
    text = _ESCAPED.sub(lambda m: chr(int(m[1], 16) if m[1] else int(m[2], 8)), name.strip())
    text = text.removeprefix("/dev/").removeprefix("/")
    number = _NUMBER.match(text.removeprefix("block/").removeprefix("char/"))
    if number:
        return f"{int(number[1])}:{int(number[2])}"
    if text.startswith(_SPLIT_NAMES):
        return text.replace("/", "!")
    if name.startswith("/dev/") and text.count("/") == 1 and not text.startswith(_SPECIAL):
        group, volume = text.split("/")
        return mapper_name(group, volume)
    return text


def mapper_name(group: str, volume: str) -> str:
    """The device mapper name of a logical volume: dashes doubled, then one between."""
    return f"mapper/{group.replace('-', '--')}-{volume.replace('-', '--')}"


@dataclass(frozen=True, slots=True)
class Told:
    """Who told a fact, and how much that counts."""

    source: Source
    rank: int


#: fields of which two sources cannot both be right
_COMPARED = ("size_sectors", "start_sectors", "md_level", "md_chunk_bytes", "lvm_segtype", "fstype")
_TOOLS_ROUND_SECTORS = 2048  # to whole KiB (mdstat) or extents
_FACTS, _QUEUE = Facts.__slots__, QueueFacts.__slots__


@dataclass(slots=True)
class Node:
    """One block device.

    Attributes
    ----------
    names : dict used as an ordered set
        Canonical names: ``8:0``, ``sda``, ``mapper/vg-lv``, ``disk/by-id/...``.
    facts : Facts
    queue : QueueFacts
    told : mapping of field to Told
        Of both; a field that no source tells is not in it.
    disputed : mapping of field to what each source says
        Where sources contradict each other.
    """

    names: dict[str, None] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)
    queue: QueueFacts = field(default_factory=QueueFacts)
    told: dict[str, Told] = field(default_factory=dict)
    disputed: dict[str, dict[str, object]] = field(default_factory=dict)

    def tell(
        self,
        source: Source,
        said: Facts | QueueFacts,
        *,
        exact: bool = True,
        again: bool = False,
    ) -> None:
        """Note what ``source`` says: a higher rank replaces a lower one, the first of equals stays.

        Parameters
        ----------
        source : Source
        said : Facts or QueueFacts
            Fields that are None or an empty text say nothing.
        exact : bool
            False: the tool has rounded, and loses to any that has not.
        again : bool
            What the same source said before is replaced, too.
        """
        by = Told(source, source.rank - (0 if exact else ROUNDED))
        for name in said.__slots__:
            value = getattr(said, name)
            if value is None or value == "":
                continue
            held = self.told.get(name)
            self._compare(name, value, by)
            if held is None or by.rank > held.rank or (again and by == held):
                self.put(name, value, by)

    def _compare(self, name: str, value: Any, by: Told) -> None:
        """Remember that two sources contradict each other, both exact."""
        held = self.told.get(name)
        if held is None or name not in _COMPARED or held.source == by.source:
            return
        exact = held.rank == held.source.rank and by.rank == by.source.rank
        mine = getattr(self.facts, name)
        near = isinstance(value, int) and abs(value - mine) < _TOOLS_ROUND_SECTORS
        if exact and value != mine and not near:
            self.disputed.setdefault(name, {held.source.name: mine})[by.source.name] = value

    def put(self, name: str, value: object, by: Told) -> None:
        """Set a field, whoever told it before."""
        setattr(self.facts if name in _FACTS else self.queue, name, value)
        self.told[name] = by

    def stand_on(self, name: str, source: Source) -> None:
        """One more device under this one, of a source that names them one by one."""
        held, known = self.told.get("slaves"), self.facts.slaves or ()
        if held is None or held.source != source:
            self.tell(source, Facts(slaves=(name,)))
        elif name not in known:
            self.facts.slaves = (*known, name)

    @property
    def number(self) -> str | None:
        """``major:minor``, when some source tells it."""
        return next((n for n in self.names if _NUMBER.match(n)), None)

    @property
    def kname(self) -> str | None:
        """The kernel's own name (``sda``, ``dm-0``, ``cciss!c0d0``)."""
        return next((n for n in self.names if "/" not in n and not _NUMBER.match(n)), None)

    @property
    def mapped(self) -> str | None:
        """The device mapper name."""
        return next((n[7:] for n in self.names if n.startswith("mapper/")), None)

    @property
    def label(self) -> str:
        """The name that people know it by."""
        return self.mapped or self.kname or self.number or next(iter(self.names), "?")


@dataclass(frozen=True)
class Use:
    """A mounted file system or an active swap area.

    ``on`` are canonical names of the devices that carry it; ``where`` is the mount point;
    ``options`` are the mount's, where the source tells them.
    """

    kind: Literal["fs", "swap"]
    fstype: str
    where: str
    on: tuple[str, ...]
    source: Source
    options: tuple[str, ...] = ()


@dataclass
class Host:
    """What all sources say about one host.

    Attributes
    ----------
    uses : list of Use
    elsewhere : mapping of mount point to file system type
        Mounts that stand on no block device (tmpfs, overlay ...): files below them do not lie on
        what is mounted above.
    groups : mapping of volume group to its physical volumes
    release, machine, name : str
        ``uname``: empty when no source tells it.
    real_time : bool
        ``uname`` says PREEMPT_RT.
    iommu : dict used as an ordered set
        Words of `Environment.iommu` that sources tell.
    xfs : mapping of device to mapping of feature to bool
        What ``xfs_info`` says of each file system: ``rmapbt``, ``reflink``.
    notes : dict used as an ordered set
        What was assumed or passed over while reading.
    sources : list of str
        What was read, as ``format: path``.
    lost : mapping of name to reason
        What a source tells of and no node stands for: damaged files, mounts without a device.
    tells_mounts : bool
        A source lists all mounts; lsblk tells of the devices that it shows (`Facts.mount_told`).
    """

    uses: list[Use] = field(default_factory=list)
    elsewhere: dict[str, str] = field(default_factory=dict)
    groups: dict[str, dict[str, None]] = field(default_factory=dict)
    release: str = ""
    machine: str = ""
    name: str = ""
    real_time: bool = False
    iommu: dict[str, None] = field(default_factory=dict)
    xfs: dict[str, dict[str, bool]] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    tells_mounts: bool = False
    _by_name: dict[str, Node] = field(default_factory=dict)
    _nodes: dict[int, Node] = field(default_factory=dict)

    def node(self, *names: str) -> Node:
        """The device that has these names, made or merged as needed.

        Raises
        ------
        BlockstackError
            The names belong to devices with different numbers or kernel names.
        """
        wanted = [canonical(n) for n in names if n and n.strip()]
        if not wanted:
            raise SourceError("a device without a name", path="device")
        found = [self._by_name[n] for n in wanted if n in self._by_name]
        node = found[0] if found else Node()
        if not found:
            if len(self._nodes) >= MAX_NODES:
                raise SourceError(
                    "too many devices for one host", path="devices", hint=f"at most {MAX_NODES:,}"
                )
            self._nodes[id(node)] = node
        for other in found[1:]:
            if other is not node and id(other) in self._nodes:
                self._absorb(node, other)
        for n in wanted:
            if n not in node.names:
                node.names[n] = None
                self._by_name[n] = node
        self._check_identity(node)
        return node

    def find(self, name: str) -> Node | None:
        """The device of that name, or None."""
        return self._by_name.get(canonical(name))

    def nodes(self) -> Iterable[Node]:
        """All devices, in the order in which they were first named."""
        return self._nodes.values()

    def contradictions(self) -> Iterator[str]:
        """What sources contradict each other in, each with who says what."""
        for node in self._nodes.values():
            for name, said in node.disputed.items():
                each = ", ".join(f"{value} by {source}" for source, value in said.items())
                yield (
                    f"{node.label}: the sources contradict each other: {name} is {each}; "
                    f"{node.told[name].source.name} is taken"
                )

    def note(self, text: str) -> None:
        """Remember what was assumed or passed over, once."""
        self.notes[text] = None

    def use(
        self,
        kind: Literal["fs", "swap"],
        fstype: str,
        where: str,
        on: Iterable[str],
        source: Source,
        options: str = "",
    ) -> None:
        """A mount or a swap area; ``options`` as mount writes them, with commas."""
        names = tuple(canonical(o) for o in on)
        said = tuple(word for word in options.strip("()").split(",") if word)
        self.uses.append(Use(kind, fstype, where, names, source, said))

    def _absorb(self, node: Node, other: Node) -> None:
        for n in other.names:
            node.names[n] = None
            self._by_name[n] = node
        node.disputed |= other.disputed
        for record, names in ((other.facts, _FACTS), (other.queue, _QUEUE)):
            for name in names:
                by, held = other.told.get(name), node.told.get(name)
                if by is not None:
                    node._compare(name, getattr(record, name), by)
                if by is not None and (held is None or by.rank > held.rank):
                    node.put(name, getattr(record, name), by)
        del self._nodes[id(other)]

    def _check_identity(self, node: Node) -> None:
        numbers = [n for n in node.names if _NUMBER.match(n)]
        knames = [n for n in node.names if "/" not in n and not _NUMBER.match(n)]
        for what, several in (("number", numbers), ("kernel name", knames)):
            if len(several) > 1:
                raise Contradiction(
                    f"has more than one {what}: {', '.join(several[:4])}",
                    path=node.label,
                    hint="these sources are not of one host at "
                    "one time; give those of one host only",
                )
