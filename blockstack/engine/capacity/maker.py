"""What the flows of one plan share: costs, stations, and the account of CPU time."""

from dataclasses import dataclass, field

from blockstack.base.units import SECTOR_BYTES
from blockstack.engine.capacity.arrays import CALLER, PER_JOB
from blockstack.engine.capacity.build import MOST_SECTORS, Flow
from blockstack.engine.capacity.cost import Costs
from blockstack.engine.capacity.figures import transfer_ns
from blockstack.engine.capacity.links import Links
from blockstack.engine.capacity.requests import Requests
from blockstack.engine.capacity.stations import Stations
from blockstack.engine.plan.arrays import DISCARD, FLUSH, READ
from blockstack.engine.plan.core import Call
from blockstack.engine.plan.model import Plan, Position
from blockstack.stack import Device
from blockstack.workload import Workload

#: work queues and threads that run on several CPUs at once (6.1): kblockd is a bound queue, one
#: worker per CPU, as is nvme_tcp_wq; dm-crypt's kcryptd is WQ_UNBOUND with as many as CPUs
_PER_CPU = ("kblockd", "kcryptd", "nvme_tcp_wq")


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
    workload: Workload
    numjobs: int = 1
    #: bios of one job in flight
    flying: int = 1
    #: bios made
    made: int = 0
    #: instructions per bio by layer, for the account of CPU time
    spent: dict[str, float] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.links = Links(self.plan.stack, self.stations, self._send)
        machine = self.stations.machine
        host_ns = self.costs.host_request() / machine.instructions_per_ns
        target_ns = self.costs.target_request() / machine.instructions_per_ns
        self.requests = Requests(self.stations, self.links, host_ns, target_ns)

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
        position = self.position(call)
        device = position.device
        cost = self.costs.merged() if joined else self.costs.layer(device, call.op)
        ns = self.charge(device.name, cost.instructions, cost.how)
        if position.shape.children or call.op in (FLUSH, DISCARD):
            return ns
        if str(self.stations.figures.get(device, "media")) == "memory":
            return ns + self._copied_ns(device, call)
        return ns + self.charge(device.name, self.costs.pages(call.nr).instructions, cost.how)

    def _copied_ns(self, device: Device, call: Call) -> float:
        """A disk in memory moves its bytes by the core that submits."""
        get = self.stations.figures.get
        rate = get(device, "bandwidth", 0)
        if call.op != READ:
            rate = get(device, "write_bandwidth", rate)
        ns = transfer_ns(call.nr * SECTOR_BYTES, rate)
        return self.charge(
            f"{device.name} bytes", ns * self.stations.machine.instructions_per_ns, "estimated"
        )

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
