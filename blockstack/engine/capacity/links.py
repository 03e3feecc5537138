"""Over a network card and back: a disk's commands and data, DRBD's writes to its peer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from blockstack.engine.capacity.arrays import BACKGROUND, RELEASE
from blockstack.engine.capacity.build import Flow
from blockstack.engine.capacity.figures import Figures, transfer_ns
from blockstack.engine.capacity.stations import Stations
from blockstack.engine.plan.arrays import DISCARD, FLUSH, READ
from blockstack.stack import Device, Stack

_PAGE = 4096
#: DRBD's p_data and p_block_ack with a p_header100 (6.1 drivers/block/drbd/drbd_protocol.h)
_DRBD_DATA, _DRBD_ACK = 40, 40


@dataclass(frozen=True)
class Wire:
    """What a protocol puts around the data.

    ``command``, ``answer``, ``more`` (each later part of a write) and ``data`` (a read's) are
    bytes; ``whole``: a write that is above the first burst sends nothing before it is asked.
    """

    command: int
    answer: int
    more: int = 0
    data: int = 0
    whole: bool = False


WIRES: Mapping[str, Wire] = {
    "iscsi": Wire(48, 48, more=48),  # RFC 7143 section 11.1, a read's status in its last Data-In
    "nbd": Wire(28, 16),  # 6.1 include/uapi/linux/nbd.h struct nbd_request, nbd_reply
    # 6.1 include/linux/nvme-tcp.h: nvme_tcp_cmd_pdu, rsp_pdu, data_pdu; tcp.c nvme_tcp_map_data
    "nvme-tcp": Wire(72, 24, more=24, data=24, whole=True),
}


#: TCP's payload of an Ethernet frame of 1,500 bytes with time stamps (RFC 894, 9293, 7323), and the
#: frame with its preamble, header, checksum and gap (IEEE 802.3): 1 GbE carries 117.7 MB/s
_PAYLOAD, _FRAME = 1448, 1538


def on_wire(n_bytes: int) -> int:
    """Bytes of a message as frames; the last one may be short."""
    frames = max(1, -(-n_bytes // _PAYLOAD))
    return n_bytes + frames * (_FRAME - _PAYLOAD)


@dataclass
class Links:
    """Adds what a bio does on the network to flows.

    Parameters
    ----------
    stack : Stack
    stations : Stations
    send : callable
        Adds the CPU time of a transmission: (flow, device, after) -> nodes.
    """

    stack: Stack
    stations: Stations
    send: Callable[[Flow, Device, list[int]], list[int]]

    @property
    def figures(self) -> Figures:
        """The devices' speeds."""
        return self.stations.figures

    def out(self, flow: Flow, device: Device, op: int, n_bytes: int, last: list[int]) -> list[int]:
        """Command and, of a write, its data. What is above the first burst waits for the target to
        ask for it (R2T), a round trip for each burst (RFC 7143 section 4.2.5.2; NVMe/TCP)."""
        nic, wire, get = self._nic(device), WIRES[device.kind], self.figures.get
        last = self.send(flow, device, last)
        data = 0 if op in (READ, FLUSH, DISCARD) else n_bytes
        first = get(device, "first_burst", data) or data
        size = min(data, 0 if wire.whole and data > first else first)
        last = self.hop(flow, nic, size + wire.command, last)
        left = data - size
        while left > 0:
            size = min(left, get(device, "max_burst", left) or left)
            last = self.travel(flow, nic, last)
            last = self.hop(flow, nic, size + wire.more, last)
            left -= size
        return last

    def back(self, flow: Flow, device: Device, op: int, n_bytes: int, last: list[int]) -> list[int]:
        """The answer, with a read's data."""
        wire = WIRES[device.kind]
        data = n_bytes + wire.data if op == READ else 0
        return self.hop(flow, self._nic(device), data + wire.answer, last, back=True)

    def hop(
        self, flow: Flow, nic: Device, n_bytes: int, last: list[int], *, back: bool = False
    ) -> list[int]:
        """Bytes through the card, then half a round trip."""
        link = self.stations.link(nic)
        ns = transfer_ns(on_wire(n_bytes), self.figures.get(nic, "bandwidth"))
        sent = flow.visit(link.receive if back else link.send, 0.0, ns, after=last)
        return self.travel(flow, nic, [sent])

    def travel(self, flow: Flow, nic: Device, last: list[int]) -> list[int]:
        """Half a round trip of a few bytes."""
        half = self.figures.get(nic, "rtt") / 2
        return [flow.visit(self.stations.link(nic).wire, half, after=last)]

    def _nic(self, device: Device) -> Device:
        nic = self.stack.nic_of(device.name)
        assert nic is not None  # the config's check: these kinds need one
        return nic

    def replicated(
        self,
        flow: Flow,
        device: Device,
        op: int,
        n_bytes: int,
        last: list[int],
        write: Callable[[list[int]], list[int]],
    ) -> list[int]:
        """A DRBD write on its way to the peer; the nodes that it is complete after, beside the
        local disk's (6.1 drivers/block/drbd/drbd_req.c).

        Protocol A: handed over to TCP, whose send buffer it lies in until the peer has it
        (HANDED_OVER_TO_NETWORK). B: the peer has it (RECV_ACKED_BY_PEER). C: it is on the peer's
        disk (WRITE_ACKED_BY_PEER). The peer holds ``max_buffers`` pages that are not written; what
        comes then waits in the send buffer.

        Parameters
        ----------
        write : callable
            Adds the peer's own half: nodes after which it begins -> nodes that end it.
        """
        nic, get, protocol = self._nic(device), self.figures.get, device.params["protocol"]
        data = 0 if op == DISCARD else n_bytes  # P_TRIM has a header only
        pages = max(1, -(-data // _PAGE))
        buffer, sending = self._room(
            device, "send buffer", pages, get(device, "send_buffer") // _PAGE
        )
        unwritten, held = self._room(device, "peer buffer", pages, get(device, "max_buffers"))
        last = self.send(flow, device, last)
        last = [flow.visit(buffer, after=last, end=sending)]
        ends, before = list(last), flow.background
        flow.background = before or protocol == "A"
        last = self.hop(flow, nic, data + _DRBD_DATA, last)
        last = [flow.visit(unwritten, after=last, end=held)]
        acked = flow.visit(
            self.stations.link(nic).wire, get(nic, "rtt") / 2, after=last, flags=BACKGROUND
        )
        flow.visit(buffer, after=[acked], end=sending, flags=RELEASE | BACKGROUND)
        if protocol == "B":
            ends = self.hop(flow, nic, _DRBD_ACK, last, back=True)
            flow.background = True
        last = write(last)
        flow.visit(unwritten, after=last, end=held, flags=RELEASE | BACKGROUND)
        if protocol == "C":
            ends = self.hop(flow, nic, _DRBD_ACK, last, back=True)
        flow.background = before
        return ends

    def _room(self, device: Device, part: str, pages: int, size: int) -> tuple[int, int]:
        """A buffer's station, and how much of it a write takes: one larger than the buffer is alone
        in it."""
        return self.stations.buffer(device, part, size), min(pages, size)
