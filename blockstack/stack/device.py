"""What a stack is made of: devices, the segments of their tables, and what they stand on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from blockstack.kinds import Kind, find_kind

LinkRole = Literal["data", "cow", "nic"]


@dataclass(frozen=True)
class Segment:
    """A range of a device that is mapped by one rule.

    Attributes
    ----------
    begin, end : int
        Sectors of this device; ``end`` is not included.
    members : tuple of str
        Lower devices, in stripe order; one for a linear range.
    offsets : tuple of int
        Where the range starts on each member, in sectors.
    chunk_sectors : int
        Stripe chunk; 0 for a linear range.
    """

    begin: int
    end: int
    members: tuple[str, ...]
    offsets: tuple[int, ...]
    chunk_sectors: int = 0


@dataclass(frozen=True)
class Lower:
    """One lower device as its upper device sees it.

    Attributes
    ----------
    device : str
        Name of the lower device.
    offset_sectors : int
        Added to a sector on the way down (a partition's start; the first range's offset for a
        device with segments).
    role : {"data", "cow", "nic"}
    index : int
        Place among the lower devices: the member number.
    """

    device: str
    offset_sectors: int = 0
    role: LinkRole = "data"
    index: int = 0


@dataclass(frozen=True)
class Device:
    """A device of a stack; made by the verbs of `Stack`, never changed.

    Attributes
    ----------
    name, kind : str
        The kind is a name of the registry, see `kind_entry`.
    params : mapping
        The kind's parameters, checked, with defaults filled in.
    on : tuple of str
        Lower block devices in order (members, table order). A network card is not among them.
    nic : str or None
        The card under a network device.
    size_sectors : int
        0 for what has no sectors (a card, an NFS client without a size).
    segments : tuple of Segment
        dm-linear, dm-striped, md-linear, md-raid0: sorted, contiguous from 0.
    geometry : mapping of str to int
        RAID and snapshot figures that follow from the members, in sectors and counts
        (``member_sectors``, ``disks``, ``near_copies``, ``stride_sectors`` ...).
    offset_sectors : int
        Added to a sector on the way to the one lower device (a partition's start).
    limits : mapping of str to int
        Queue limits that a config sets, in the kernel's units.
    given : mapping
        The keys as a config would say them.
    """

    name: str
    kind: str
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    on: tuple[str, ...] = ()
    nic: str | None = None
    size_sectors: int = 0
    segments: tuple[Segment, ...] = ()
    geometry: Mapping[str, int] = field(default_factory=dict, hash=False)
    offset_sectors: int = 0
    limits: Mapping[str, int] = field(default_factory=dict, hash=False)
    given: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False, repr=False)

    @property
    def kind_entry(self) -> Kind:
        """The registry's entry of this device's kind."""
        return find_kind(self.kind)

    @property
    def maps_itself(self) -> bool:
        """A file system that spreads its bios over several devices, or writes them twice."""
        return self.kind_entry.role == "source" and bool(self.segments or self.geometry)

    @property
    def failed(self) -> frozenset[int]:
        """Numbers of the failed members of a RAID."""
        return frozenset(self.params.get("failed") or ())
