"""One bio's calls, as the submission engine replays them, to a graph of visits.

The calls that one task makes in a row are one visit to that task; requests to leaves start when it
ends; what a driver hands to a worker starts after it, in the phases of its algorithm.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from blockstack.base.units import SECTOR_BYTES
from blockstack.engine.capacity.arrays import CALLER, PER_JOB
from blockstack.engine.capacity.build import MOST_SECTORS, Flow
from blockstack.engine.capacity.cost import Costs
from blockstack.engine.capacity.figures import transfer_ns
from blockstack.engine.capacity.links import Links
from blockstack.engine.capacity.requests import Request, Requests
from blockstack.engine.capacity.stations import Stations
from blockstack.engine.plan.arrays import FLUSH, FUA, READ, WRITE
from blockstack.engine.plan.core import Call
from blockstack.engine.plan.mappings import RAID456, SNAPSHOT, SNAPSHOT_ORIGIN
from blockstack.engine.plan.model import Plan, Position
from blockstack.stack import Device

#: work queues and threads that run on several CPUs at once (6.1): kblockd is a bound queue, one
#: worker per CPU, as is nvme_tcp_wq; dm-crypt's kcryptd is WQ_UNBOUND with as many as CPUs
_PER_CPU = ("kblockd", "kcryptd", "nvme_tcp_wq")
#: of a host that mirrors another one's writes
PEER = " of the peer"


@dataclass
class FlowMaker:
    """Turns replayed bios into flows.

    Parameters
    ----------
    plan : Plan
    costs : Costs
    stations : Stations
    """

    plan: Plan
    costs: Costs
    stations: Stations
    #: instructions per bio by layer, for the account of CPU time
    spent: dict[str, float] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.links = Links(self.plan.stack, self.stations, self._send)
        self.requests = Requests(self.stations, self.links)

    def make(self, calls: Sequence[Call]) -> Flow:
        """The flow of one bio."""
        return _Bio(self, calls).flow

    def position(self, call: Call) -> Position:
        """The plan's position that a call is at."""
        return self.plan.positions[call.position]

    def charge(self, layer: str, instructions: float, how: str) -> float:
        """Note what a layer cost on this host; its time in ns."""
        if self.stations.side:
            return instructions / self.stations.machine.instructions_per_ns
        self.spent[layer] = self.spent.get(layer, 0.0) + instructions
        self.how[layer] = how
        return instructions / self.stations.machine.instructions_per_ns

    def most_sectors(self, leaf: str) -> int:
        """Of one request: the device's own limit, else the block layer's default."""
        given = self.plan.stack.devices[leaf].service.get("max_request")
        return MOST_SECTORS if given is None else int(given)

    def call_ns(self, call: Call, joined: bool) -> float:
        """CPU time of one call; one that joined another's request costs only the merge."""
        device = self.position(call).device
        cost = self.costs.merged() if joined else self.costs.layer(device, call.op)
        return self.charge(device.name, cost.instructions, cost.how)

    def task_station(self, task: int) -> tuple[int, int]:
        """(station, flags) of one of the plan's tasks."""
        entry = self.plan.tasks[task]
        if entry.context == "caller":
            station, flags = self.submitter()
            return station, flags and flags | CALLER
        return self._task(entry.work, entry.device), 0

    def submitter(self) -> tuple[int, int]:
        """(station, flags) of the task that brings the bios: a job, or the peer's receiver."""
        if self.stations.side:
            return self.stations.task("drbd_receiver"), 0
        return self.stations.submitters, PER_JOB

    def _task(self, work: str, device: str) -> int:
        """The station of a thread or a work queue; ``device`` is empty where it serves all."""
        owner = self.plan.stack.devices.get(device)
        threads = 1 if owner is None else int(owner.service.get("threads", 1))
        servers = self.stations.machine.cpus if work in _PER_CPU else threads
        return self.stations.task(work, servers, device)

    def _send(self, flow: Flow, device: Device, after: list[int]) -> list[int]:
        found = self.costs.transmission(device)
        if found is None:
            return after
        name, cost = found
        whose = "" if name in _PER_CPU else device.name
        ns = self.charge(f"{name} {whose}".rstrip(), cost.instructions, cost.how)
        return [flow.visit(self._task(name, whose), 0.0, ns, after=after)]


@dataclass
class _Bio:
    """One bio's graph while it is made."""

    maker: FlowMaker
    calls: Sequence[Call]
    flow: Flow = field(default_factory=Flow)

    def __post_init__(self) -> None:
        self.children: list[list[int]] = [[] for _ in self.calls]
        for number, call in enumerate(self.calls):
            if call.parent >= 0:
                self.children[call.parent].append(number)
        first = self.calls[0]
        root = [int(r) for r in self.maker.plan.arrays.roots].index(first.position)
        source = self.maker.costs.source(root, first.op)
        name = self.maker.plan.entries[root].source
        label = name if name != self.maker.position(first).device.name else f"{name} (raw)"
        ns = self.maker.charge(label, source.instructions, source.how)
        self._group([0], [], ns)

    def _group(self, heads: Sequence[int], after: list[int], ns: float = 0.0) -> list[int]:
        """Calls that one task makes in a row, and all below; the nodes that end them."""
        maker, task = self.maker, self.calls[heads[0]].task
        mine = list(self._own(heads, task))
        runs = list(self._requests(mine))
        joined = {n for run in runs for n in run[1:]}
        ns += sum(maker.call_ns(self.calls[n], n in joined) + self._inline_crypt(n) for n in mine)
        station, flags = maker.task_station(task)
        if maker.plan.tasks[task].context != "caller":
            worker = maker.costs.worker(task)
            ns += maker.charge(
                maker.plan.tasks[task].name,
                worker.instructions * self._hand_overs(heads),
                worker.how,
            )
            ns += self._parity_ns(heads)
        cpu = [self.flow.visit(station, 0.0, ns, after=after, flags=flags)]
        done = self._leaves(runs, cpu)
        return [end for head in heads for end in self._ends(head, cpu, done)]

    def _own(self, heads: Iterable[int], task: int) -> Iterable[int]:
        """Calls of this task from the heads down, not those that it hands over."""
        todo = list(reversed(heads if isinstance(heads, list) else list(heads)))
        while todo:
            number = todo.pop()
            yield number
            todo += [c for c in reversed(self.children[number]) if self.calls[c].task == task]

    def _hand_overs(self, heads: Sequence[int]) -> int:
        """How often a worker goes through its loop: once per 4 KiB stripe of a raid4/5/6, where
        the requests to one stripe are handled together, else once per bio."""
        parent = self.calls[heads[0]].parent
        if parent < 0 or self.maker.position(self.calls[parent]).shape.op_kind != RAID456:
            return len(heads)
        return len({self.calls[head].sector for head in heads})

    def _parity_ns(self, heads: Sequence[int]) -> float:
        """XOR over the bytes of a write, at the array's `bandwidth` where the config gives one."""
        parent = (
            self.calls[self.calls[heads[0]].parent]
            if self.calls[heads[0]].parent >= 0
            else (self.calls[0])
        )
        position = self.maker.position(parent)
        if position.shape.op_kind != RAID456 or self.calls[heads[0]].op == READ:
            return 0.0
        ns = transfer_ns(parent.nr * SECTOR_BYTES, position.device.service.get("bandwidth"))
        return self.maker.charge(
            f"{position.device.name} parity",
            ns * self.maker.stations.machine.instructions_per_ns,
            "given",
        )

    def _requests(self, numbers: Iterable[int]) -> Iterable[list[int]]:
        """Calls at leaves, one list per request. What goes on where another ends was merged in the
        plug or by the driver's own loop, up to the largest that a queue takes."""
        by_leaf: dict[tuple[str, int], list[int]] = {}
        for number in numbers:
            if not self.maker.position(self.calls[number]).shape.children:
                call = self.calls[number]
                device = self.maker.position(call).device
                by_leaf.setdefault((device.name, call.op), []).append(number)
        for (name, _), group in by_leaf.items():
            most = self.maker.most_sectors(name)
            yield from _runs(sorted(group, key=lambda n: self.calls[n].sector), self.calls, most)

    def _leaves(self, runs: Iterable[list[int]], cpu: list[int]) -> dict[int, list[int]]:
        """The requests after ``cpu``, and after which nodes each of their calls is complete."""
        ends: dict[int, list[int]] = {}
        for run in runs:
            first = self.calls[run[0]]
            length = sum(self.calls[n].nr for n in run)
            device = self.maker.position(first).device
            most = self.maker.most_sectors(device.name)
            end: list[int] = []
            for at in range(0, max(length, 1), most):  # bio_split_to_limits
                request = Request(device, first.op, first.sector + at, min(most, length - at))
                end += self.maker.requests.add(self.flow, request, cpu)
            ends.update(dict.fromkeys(run, end))
        return ends

    def _ends(self, number: int, cpu: list[int], done: dict[int, list[int]]) -> list[int]:
        """The nodes after which a call's bio is complete."""
        if number in done:
            return done[number]
        call = self.calls[number]
        ends = [
            end
            for c in self.children[number]
            if self.calls[c].task == call.task
            for end in self._ends(c, cpu, done)
        ]
        jobs = [c for c in self.children[number] if self.calls[c].task != call.task]
        after = self._encrypted(number, cpu) if jobs else cpu
        for phase in self._phases(call, jobs):
            after = self._group(phase, after)
        ends += after if jobs else []
        if self._is_replicated(call):
            ends += self._replicated(number, cpu)
        return self._decrypted(number, ends or cpu)

    # --- DRBD: the same again on another host -----------------------------------------------------

    def _is_replicated(self, call: Call) -> bool:
        """Reads are local, and an empty flush is the peer's barrier that nobody waits for (6.1
        drbd_req.c drbd_process_write_request: QUEUE_AS_DRBD_BARRIER)."""
        device = self.maker.position(call).device
        return device.kind == "drbd" and device.nic is not None and call.op not in (READ, FLUSH)

    def _replicated(self, number: int, cpu: list[int]) -> list[int]:
        call, stations = self.calls[number], self.maker.stations

        def write(after: list[int]) -> list[int]:
            """The peer's stack below is this host's once more, on stations of its own."""
            stations.side += PEER
            ends = self._group(self.children[number], after)
            stations.side = stations.side.removesuffix(PEER)
            return ends

        return self.maker.links.replicated(
            self.flow, self.maker.position(call).device, call.op, call.nr * SECTOR_BYTES, cpu, write
        )

    def _phases(self, call: Call, jobs: list[int]) -> list[list[int]]:
        """What a driver's worker does, step by step.

        raid4/5/6: the reads that a write needs, then the writes (handle_stripe). A snapshot: the
        old chunk is read, copied out, then the write itself goes (kcopyd).
        """
        kind = self.maker.position(call).shape.op_kind
        reads = [j for j in jobs if self.calls[j].op == READ]
        if call.op == READ or not reads or kind not in (RAID456, SNAPSHOT, SNAPSHOT_ORIGIN):
            return [jobs] if jobs else []
        writes = [j for j in jobs if self.calls[j].op != READ]
        if kind == RAID456:
            return [reads, writes]
        return [reads, writes[:-1], writes[-1:]] if len(writes) > 1 else [reads, writes]

    # --- dm-crypt: bytes through a cipher, where the workqueues say -------------------------------

    def _crypt_ns(self, call: Call) -> float:
        device = self.maker.position(call).device
        rate = self.maker.stations.figures.get(device, "bandwidth")
        ns = transfer_ns(call.nr * SECTOR_BYTES, rate)
        return self.maker.charge(
            f"{device.name} cipher",
            ns * self.maker.stations.machine.instructions_per_ns,
            "estimated",
        )

    def _is_crypt(self, number: int, *ops: int) -> bool:
        call = self.calls[number]
        return self.maker.position(call).device.kind == "dm-crypt" and call.op in ops

    def _queued(self, number: int, op: str) -> bool:
        """Whether kcryptd does it (6.1: no no_read_workqueue, no no_write_workqueue)."""
        device = self.maker.position(self.calls[number]).device
        return op in str(device.params.get("workqueue", "read+write")).split("+")

    def _inline_crypt(self, number: int) -> float:
        """Encryption in the caller: without a write workqueue."""
        hands_over = any(
            self.calls[c].task != self.calls[number].task for c in self.children[number]
        )
        if not self._is_crypt(number, WRITE, FUA) or hands_over:
            return 0.0
        return self._crypt_ns(self.calls[number])

    def _encrypted(self, number: int, after: list[int]) -> list[int]:
        """kcryptd encrypts before dmcrypt_write submits."""
        if not self._is_crypt(number, WRITE, FUA):
            return after
        return self._kcryptd(number, after)

    def _decrypted(self, number: int, ends: list[int]) -> list[int]:
        """A read is decrypted when its data are there: by kcryptd, or where it completes (on the
        submitter's CPU)."""
        if not self._is_crypt(number, READ):
            return ends
        if self._queued(number, "read"):
            return self._kcryptd(number, ends)
        ns = self._crypt_ns(self.calls[number])
        station, flags = self.maker.submitter()
        return [self.flow.visit(station, 0.0, ns, after=ends, flags=flags)]

    def _kcryptd(self, number: int, after: list[int]) -> list[int]:
        device = self.maker.position(self.calls[number]).device
        station = self.maker.stations.task("kcryptd", self.maker.stations.machine.cpus, device.name)
        worker = 2 * self.maker.costs.per_function(1)  # process_one_work, kcryptd_crypt
        ns = self._crypt_ns(self.calls[number]) + self.maker.charge(
            f"kcryptd {device.name}", worker, "estimated"
        )
        return [self.flow.visit(station, 0.0, ns, after=after)]


def _runs(numbers: Sequence[int], calls: Sequence[Call], most: int) -> Iterable[list[int]]:
    """Sorted calls cut where they are not contiguous, or would make too large a request."""
    run: list[int] = []
    for number in numbers:
        call = calls[number]
        if run and (
            calls[run[-1]].sector + calls[run[-1]].nr != call.sector
            or not call.nr
            or sum(calls[n].nr for n in run) + call.nr > most
        ):
            yield run
            run = []
        run.append(number)
    if run:
        yield run
