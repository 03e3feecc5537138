"""One request at a leaf: over the link, through the queue, on the media, and back."""

from dataclasses import dataclass

from blockstack.base.units import SECTOR_BYTES
from blockstack.engine.capacity.arrays import BACKGROUND, RELEASE, SPREAD
from blockstack.engine.capacity.build import Flow
from blockstack.engine.capacity.figures import Figures, transfer_ns
from blockstack.engine.capacity.links import Links
from blockstack.engine.capacity.stations import Leaf, Stations
from blockstack.engine.plan.arrays import DISCARD, FLUSH, FUA, READ
from blockstack.stack import Device


@dataclass(frozen=True)
class Request:
    """A contiguous range at a leaf."""

    device: Device
    op: int
    sector: int
    nr_sectors: int


def answered_by_cache(sector: int, ratio: float) -> bool:
    """Whether a read of this sector hits: a hash of the place, so the same place always does."""
    mixed = (sector + 1) * 0x9E3779B97F4A7C15 % 2**64
    mixed = (mixed ^ (mixed >> 31)) * 0x94D049BB133111EB % 2**64
    return (mixed >> 11) / 2**53 < ratio


@dataclass
class Requests:
    """Adds requests' visits to flows.

    Parameters
    ----------
    stations : Stations
    links : Links
    host_ns : float
        Of a virtual machine's host, for each request.
    target_ns : float
        Of a network target's processor, for each request.
    """

    stations: Stations
    links: Links
    host_ns: float = 0.0
    target_ns: float = 0.0

    @property
    def figures(self) -> Figures:
        """The devices' speeds."""
        return self.stations.figures

    def add(self, flow: Flow, request: Request, after: list[int]) -> list[int]:
        """The visits of one request; the nodes after which it is complete."""
        leaf = self.stations.leaf(request.device)
        networked = request.device.nic is not None
        n_bytes = request.nr_sectors * SECTOR_BYTES
        last = after
        if leaf.tags >= 0:
            last = [flow.visit(leaf.tags, after=last)]
        if networked:
            last = self.links.out(flow, request.device, request.op, n_bytes, last)
            target = self.stations.target(request.device)
            last = [flow.visit(target, 0.0, self.target_ns, after=last)]
        if request.device.kind == "virtio-blk":  # one I/O thread of the host serves the disk
            thread = self.stations.host_thread(request.device)
            last = [flow.visit(thread, 0.0, self.host_ns, after=last)]
        if leaf.media != "memory":
            last = self._device(flow, request, leaf, last)
        if networked:
            last = self.links.back(flow, request.device, request.op, n_bytes, last)
        if leaf.tags >= 0:
            last = [flow.visit(leaf.tags, after=last, flags=RELEASE)]
        return last

    def _device(self, flow: Flow, request: Request, leaf: Leaf, last: list[int]) -> list[int]:
        device, op = request.device, request.op
        flush = float(self.figures.get(device, "flush_latency", 0))
        if op == FLUSH:
            return self._pause(flow, leaf, flush, last)
        n_bytes = 0 if op == DISCARD else request.nr_sectors * SECTOR_BYTES
        if leaf.media == "disk":
            last = self._disk(flow, request, leaf, n_bytes, last)
        elif op == READ:
            last = self._ssd_read(flow, request, leaf, n_bytes, last)
        else:
            last = self._ssd_write(flow, request, leaf, n_bytes, last)
        return self._pause(flow, leaf, flush, last) if op == FUA else last

    def _pause(self, flow: Flow, leaf: Leaf, ns: float, last: list[int]) -> list[int]:
        """A flush: on an SSD beside everything else, on a disk in the arm's turn."""
        if not ns:
            return last
        station = leaf.ack if leaf.ack >= 0 else leaf.channels
        return [flow.visit(station, ns, after=last)]

    def _disk(
        self, flow: Flow, request: Request, leaf: Leaf, n_bytes: int, last: list[int]
    ) -> list[int]:
        sector = request.sector
        if self._hit(request):
            return self._from_cache(flow, request, leaf, last)
        rate = self.figures.get(request.device, "bandwidth")
        return [
            flow.visit(
                leaf.channels,
                0.0,
                transfer_ns(n_bytes, rate),
                after=last,
                sector=sector,
                end=sector + request.nr_sectors,
                op=request.op,
            )
        ]

    def _hit(self, request: Request) -> bool:
        ratio = request.device.service.get("hit_ratio")
        return (
            request.op == READ
            and ratio is not None
            and answered_by_cache(request.sector, float(ratio))
        )

    def _from_cache(self, flow: Flow, request: Request, leaf: Leaf, last: list[int]) -> list[int]:
        ns = float(request.device.service.get("hit_latency", 0))
        return [flow.visit(leaf.cache, ns, after=last)]

    def _ssd_read(
        self, flow: Flow, request: Request, leaf: Leaf, n_bytes: int, last: list[int]
    ) -> list[int]:
        get, device = self.figures.get, request.device
        if self._hit(request):
            last = self._from_cache(flow, request, leaf, last)
        else:
            last = [
                flow.visit(
                    leaf.channels, float(get(device, "read_latency")), after=last, flags=SPREAD
                )
            ]
        return self._bus(flow, request, leaf, transfer_ns(n_bytes, get(device, "bandwidth")), last)

    def _bus(
        self, flow: Flow, request: Request, leaf: Leaf, ns: float, last: list[int]
    ) -> list[int]:
        return [
            flow.visit(
                leaf.bus,
                0.0,
                ns,
                after=last,
                sector=request.sector,
                end=request.sector + request.nr_sectors,
                op=request.op,
            )
        ]

    def _ssd_write(
        self, flow: Flow, request: Request, leaf: Leaf, n_bytes: int, last: list[int]
    ) -> list[int]:
        """Into the drive's power-safe buffer, from which it is programmed behind the answer."""
        get, device = self.figures.get, request.device
        rate = get(device, "write_bandwidth", None) or get(device, "bandwidth")
        latency = float(get(device, "write_latency"))
        if leaf.buffer < 0:
            last = self._bus(flow, request, leaf, transfer_ns(n_bytes, rate), last)
            return [flow.visit(leaf.channels, latency, after=last, flags=SPREAD)]
        last = [flow.visit(leaf.buffer, after=last)]
        last = self._bus(flow, request, leaf, transfer_ns(n_bytes, rate), last)
        last = [flow.visit(leaf.ack, latency, after=last)]
        program = flow.visit(
            leaf.channels, float(get(device, "program")), after=last, flags=SPREAD | BACKGROUND
        )
        flow.visit(leaf.buffer, after=[program], flags=RELEASE | BACKGROUND)
        return last
