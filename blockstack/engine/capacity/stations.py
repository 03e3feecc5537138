"""Devices, links and tasks as stations: what a bio can wait for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from blockstack.base.errors import ConfigError
from blockstack.engine.capacity.arrays import (
    CONSTANT,
    DELAY,
    DISK,
    EMPIRICAL,
    EXPONENTIAL,
    QUEUE,
    TOKENS,
)
from blockstack.engine.capacity.build import Builder, Disk, StationSpec
from blockstack.engine.capacity.figures import Figures, disk_seek
from blockstack.stack import Device
from blockstack.stack.machine import Machine

_DISTS = {"constant": CONSTANT, "exponential": EXPONENTIAL}
#: a cell of three bits has pages that need two, three or four reads of its threshold voltages:
#: times of a page's read over their mean, assumed even steps of a quarter
PAGES = (0.75, 1.0, 1.25)
#: how long a request may wait before its turn comes: mq-deadline's read_expire, 6.1
#: block/mq-deadline.c (HZ / 2); a drive's own queue has some such bound, too
EXPIRE_NS = 500e6
#: of a drive's own for each request that moves its head: its choice among the queue, the reserve
#: that it leaves for settling. Assumed: about 170 random reads of 4 KiB a second at a queue depth
#: of 16 from a drive of 7,200 rpm, where an ideal choice reaches 185
DISK_OVERHEAD_NS = 500e3
#: parts that are held from one visit to another
BUFFERS = ("write buffer", "send buffer", "peer buffer")
HELD = ("queue depth", *BUFFERS)


@dataclass(frozen=True)
class Place:
    """What a station is to the people who read a result.

    ``part`` says what of a device or task: ``cpu``, ``media``, ``bus``, ``queue depth``, ``send``,
    ``receive``, ``wire``, ``cache``, or one of `HELD`. ``work`` is the thread or work queue (empty:
    the device itself), ``device`` the one that it serves (empty: all); ``side`` is that of
    `Stations`.
    """

    work: str
    device: str
    part: str
    side: str = ""

    @property
    def name(self) -> str:
        """``raid5d md0``, ``sda``, ``kblockd``, ``sda of the peer``."""
        return " ".join(filter(None, (self.work, self.device))) + self.side

    @property
    def label(self) -> str:
        """``sda media``."""
        return f"{self.name} {self.part}"


@dataclass
class Leaf:
    """The stations of one leaf; -1: it has none of that kind."""

    device: Device
    media: str
    tags: int = -1
    channels: int = -1
    bus: int = -1
    ack: int = -1
    buffer: int = -1
    cache: int = -1


@dataclass
class Link:
    """The stations of one network card: a server per direction, and the wire."""

    send: int
    receive: int
    wire: int


@dataclass
class Stations:
    """Builds stations once per device or task, and remembers what they are.

    Parameters
    ----------
    figures : Figures
    machine : Machine
    numjobs : int
        Submitting tasks.
    side : str
        Put behind every name: whose stations are asked for, while another host's are.
    """

    figures: Figures
    machine: Machine
    numjobs: int
    builder: Builder = field(default_factory=Builder)
    places: list[Place] = field(default_factory=list)
    leaves: dict[str, Leaf] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    tasks: dict[tuple[str, str, str], int] = field(default_factory=dict)
    buffers: dict[tuple[str, str], int] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)
    side: str = ""
    pages: int = -1
    luns: dict[str, Leaf] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.submitters = len(self.places)
        for job in range(self.numjobs):
            self._add("", "cpu", dist=CONSTANT, pool=self._pool(), work=f"job {job}")

    def _pool(self) -> int:
        """This side's cores; the first pool is this host's."""
        if self.side not in self.pools:
            self.pools[self.side] = self.builder.pool(self.machine.cpus)
        return self.pools[self.side]

    def _add(
        self,
        device: str,
        part: str,
        kind: int = QUEUE,
        dist: int = CONSTANT,
        servers: int = 1,
        pool: int = -1,
        merge: bool = False,
        lookahead: int = 1,
        disk: Disk | None = None,
        table: int = -1,
        spread: int = 1,
        work: str = "",
    ) -> int:
        place = Place(work, device, part, self.side)
        self.places.append(place)
        return self.builder.station(
            StationSpec(
                place.label, kind, dist, servers, pool, merge, lookahead, disk, table, spread
            )
        )

    def task(self, work: str, servers: int = 1, device: str = "") -> int:
        """A kernel thread, or a work queue of several; ``device`` where it serves but one."""
        key = (work, device, self.side)
        if key not in self.tasks:
            self.tasks[key] = self._add(
                device, "cpu", servers=servers, pool=self._pool(), work=work
            )
        return self.tasks[key]

    def line(self, device: Device) -> int:
        """A cache line that every core changes for each bio of a device."""
        key = (device.name, "cache line", self.side)
        if key not in self.tasks:
            self.tasks[key] = self._add(device.name, "shared counter")
        return self.tasks[key]

    def host_thread(self, device: Device) -> int:
        """The thread outside a virtual machine that serves its disk, on a core of the host."""
        key = (device.name, "I/O thread", self.side)
        if key not in self.tasks:
            self.tasks[key] = self._add(device.name, "host's I/O thread")
        return self.tasks[key]

    def timer(self, device: Device) -> int:
        """A time that bios spend in no queue."""
        key = (device.name, "timer", self.side)
        if key not in self.tasks:
            self.tasks[key] = self._add(device.name, "timer", DELAY)
        return self.tasks[key]

    def target(self, device: Device) -> int:
        """What serves a network disk over there, on cores like this host's: a thread for an iSCSI
        session (6.1 iscsi_target.c iscsi_target_rx_thread) or an nbd connection, a work item per
        queue of NVMe/TCP (drivers/nvme/target/tcp.c nvmet_tcp_io_work)."""
        key = (device.name, "target", self.side)
        if key not in self.tasks:
            servers = self.machine.cpus if device.kind == "nvme-tcp" else 1
            self.tasks[key] = self._add(device.name, "cpu", servers=servers, work="target of")
        return self.tasks[key]

    def buffer(self, device: Device, part: str, size: int) -> int:
        """Room of ``size`` that a device's bios take and give back; ``part`` is one of `HELD`."""
        key = (device.name + self.side, part)
        if key not in self.buffers:
            self.buffers[key] = self._add(device.name, part, TOKENS, servers=size)
        return self.buffers[key]

    def link(self, nic: Device) -> Link:
        """A network card's directions and its wire."""
        name = nic.name + self.side
        if name not in self.links:
            self.links[name] = Link(
                self._add(nic.name, "send"),
                self._add(nic.name, "receive"),
                self._add(nic.name, "wire", DELAY),
            )
        return self.links[name]

    def leaf(self, device: Device) -> Leaf:
        """A leaf's stations."""
        name = device.name + self.side
        if name not in self.leaves:
            self.leaves[name] = self._leaf(device)
        return self.leaves[name]

    def _leaf(self, device: Device) -> Leaf:
        if device.kind_entry.role == "nic":  # an NFS client's lower device
            raise ConfigError(
                "what answers behind this card is not described",
                path=f"devices.{device.name}",
                hint="capacity needs the server's stack: put the file system on an "
                "iscsi or nbd disk, or model the server itself",
            )
        get = self.figures.get
        media = str(get(device, "media"))
        leaf = Leaf(device, media)
        if media == "memory":
            return leaf
        name = device.name
        depth = int(get(device, "queue_depth"))
        leaf.tags = self._add(name, "queue depth", TOKENS, servers=depth)
        merge = get(device, "scheduler", "none") == "deadline"
        lun = str(device.params.get("lun", ""))
        if lun in self.luns:  # another path to the same unit: its own queue depth, one medium
            return replace(self.luns[lun], device=device, tags=leaf.tags)
        if media == "disk":
            track, root = disk_seek(
                {k: get(device, k) for k in ("track_seek", "seek")}, device.size_sectors
            )
            passing = 512e9 / get(device, "bandwidth")
            track += DISK_OVERHEAD_NS
            arm = Disk(track, root, 60e9 / get(device, "rpm"), EXPIRE_NS, passing)
            leaf.channels = self._add(
                name, "media", QUEUE, DISK, merge=merge, lookahead=min(depth, 64), disk=arm
            )
        else:
            dist, table = self._shape(device)
            leaf.channels = self._dies(name, int(get(device, "channels")), dist, table)
            leaf.bus = self._add(name, "bus", merge=merge, lookahead=32)
            leaf.ack = self._add(name, "acknowledgement", DELAY, dist, table=table)
            buffered = int(get(device, "write_buffer", 0))
            if buffered and get(device, "program", 0):
                leaf.buffer = self._add(name, "write buffer", TOKENS, servers=buffered)
        if "hit_ratio" in device.service:
            leaf.cache = self._add(name, "cache", DELAY)
        if device.params.get("lun"):
            self.luns[str(device.params["lun"])] = leaf
        return leaf

    def _dies(self, name: str, dies: int, dist: int, table: int) -> int:
        """Stations in a row, a server each: a request waits for the die that holds its place,
        whatever the others do."""
        first = len(self.places)
        for die in range(dies):
            spread = dies if die == 0 else 1
            self._add(name, "media", QUEUE, dist, table=table, spread=spread)
        return first

    def _shape(self, device: Device) -> tuple[int, int]:
        """The distribution of a device's latencies, and its table of quantiles."""
        samples: Sequence[int] | None = device.service.get("samples")
        if samples is not None:
            return EMPIRICAL, self.builder.quantiles(np.array(samples, np.float64))
        word = str(self.figures.get(device, "distribution", "pages"))
        if word == "pages":
            if self.pages < 0:
                self.pages = self.builder.quantiles(np.array(PAGES))
            return EMPIRICAL, self.pages
        return _DISTS[word], -1
