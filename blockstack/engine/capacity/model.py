"""Stack, kernel and workload to a service plan: what the event loop runs, and its names."""

from collections.abc import Sequence
from dataclasses import dataclass

from blockstack.base.errors import LimitExceeded
from blockstack.base.hints import listed
from blockstack.base.units import SECTOR_BYTES
from blockstack.engine.capacity.arrays import ServicePlan
from blockstack.engine.capacity.build import Flow
from blockstack.engine.capacity.cost import CALIBRATED, Costs
from blockstack.engine.capacity.figures import Figures
from blockstack.engine.capacity.flow import flow_of
from blockstack.engine.capacity.maker import FlowMaker
from blockstack.engine.capacity.omitted import not_counted
from blockstack.engine.capacity.result import LayerCost
from blockstack.engine.capacity.stations import BUFFERS, Place, Stations
from blockstack.engine.capacity.stripes import in_time
from blockstack.engine.plan.arrays import DrawSpec
from blockstack.engine.plan.compile import compile_plan
from blockstack.engine.plan.core import Call, Columns, replays
from blockstack.engine.plan.demand import demand_of, source_of
from blockstack.engine.plan.fan_out import REPLAY_BYTES, VISIT_BYTES, check_memory
from blockstack.engine.plan.mappings import RAID456
from blockstack.engine.plan.model import Plan
from blockstack.engine.plan.queue_limits import check_blocks
from blockstack.kernel import Kernel
from blockstack.stack import Stack
from blockstack.stack.machine import Machine
from blockstack.workload import Workload

#: bios of the workload that become templates: so many, or as many as make so many calls or visits
SAMPLED_BIOS, SAMPLED_CALLS, SAMPLED_VISITS, LEAST_BIOS = 2048, 20_000, 60_000, 64
_COMPLETION = "completions are counted with the submission that they answer"


@dataclass(frozen=True)
class Part:
    """One workload's share of a model.

    Attributes
    ----------
    jobs : int
        Submitting tasks.
    templates : (int, int)
        The first of its templates, and how many: bios of the workload.
    layers : tuple of LayerCost
    """

    jobs: int
    templates: tuple[int, int]
    layers: tuple[LayerCost, ...]


@dataclass(frozen=True)
class Model:
    """A stack under one workload, or several at once, ready to run.

    Attributes
    ----------
    plan : ServicePlan
    places : tuple of Place
        One per station.
    parts : tuple of Part
    cpus : int
    width : int
        Most visits of a bio.
    behind : int
        Writes that may be acknowledged and not done.
    assumed : tuple of str
    digest : str
        Of the submission plans.
    """

    plan: ServicePlan
    places: tuple[Place, ...]
    parts: tuple[Part, ...]
    cpus: int
    width: int
    behind: int
    assumed: tuple[str, ...]
    digest: str

    @property
    def jobs(self) -> int:
        """The first so many stations are the submitting tasks."""
        return sum(part.jobs for part in self.parts)

    @property
    def sampled(self) -> int:
        """Bios that are templates."""
        return sum(part.templates[1] for part in self.parts)


def build_model(
    stack: Stack,
    workloads: Sequence[Workload],
    kernel: Kernel,
    machine: Machine,
    numjobs: Sequence[int],
    seed: int | None,
    *,
    flying: int = 1,
    every: bool = False,
    memory_limit_bytes: int | None = None,
) -> Model:
    """Replay a sample of each workload's bios (or ``every`` one) and make a template of each;
    ``flying`` are in flight of each job.

    Raises
    ------
    BlockstackError
        As for `simulate`.
    LimitExceeded
        A bio that becomes more calls than the memory holds, or than can be followed.
    """
    stations = Stations(Figures(stack), machine, sum(numjobs))
    makers, parts = [], []
    for number, (workload, jobs) in enumerate(zip(workloads, numjobs, strict=True)):
        demand = demand_of(workload)
        plan = compile_plan(
            stack, kernel, ops=demand.ops, direct=workload.direct, max_sectors=demand.max_sectors
        )
        check_blocks(
            [e.lower.name for e in plan.entries], plan.limits, demand.align_sectors, "workload.bs"
        )
        plan = in_time(plan, demand, workload, flying)
        held = REPLAY_BYTES + VISIT_BYTES * min(demand.bios, LEAST_BIOS)
        check_memory(plan, demand.max_sectors, held, memory_limit_bytes)
        maker = FlowMaker(plan, Costs(plan, machine), stations, workload, jobs, flying)
        # like jobs at once do not draw the same places
        own = ((workload.seed if seed is None else seed) + number) % 2**64
        parts.append(
            _part(
                maker,
                jobs,
                source_of(workload, plan.capacity_sectors, own),
                demand.bios,
                every=every,
            )
        )
        makers.append(maker)
    behind = sum(
        spec.servers
        for spec, place in zip(stations.builder.stations, stations.places, strict=True)
        if place.part in BUFFERS
    )
    return Model(
        stations.builder.build(),
        tuple(stations.places),
        tuple(parts),
        machine.cpus,
        max(len(flow.rows) for flow in stations.builder.flows),
        behind,
        tuple(_assumed(stations, machine, makers, kernel)),
        " ".join(maker.plan.digest for maker in makers),
    )


def _part(
    maker: FlowMaker, jobs: int, source: DrawSpec | Columns, bios: int, *, every: bool
) -> Part:
    stations, machine, first = (
        maker.stations,
        maker.stations.machine,
        len(maker.stations.builder.flows),
    )
    calls_so_far, visits, sampled = 0, 0, 0
    most = bios if every else min(SAMPLED_BIOS, bios)
    for calls in replays(maker.plan.arrays, source, range(most)):
        flow = _followed(maker, calls)
        stations.builder.template(flow, op=calls[0].op, n_bytes=SECTOR_BYTES * calls[0].nr)
        calls_so_far, visits = calls_so_far + len(calls), visits + len(flow.rows)
        sampled += 1
        enough = calls_so_far > SAMPLED_CALLS or visits > SAMPLED_VISITS
        if enough and sampled >= LEAST_BIOS and not every:
            break
    layers = tuple(
        LayerCost(
            name, total / sampled, total / sampled / machine.instructions_per_ns, maker.how[name]
        )
        for name, total in maker.spent.items()
        if total
    )
    return Part(jobs, (first, sampled), layers)


def _followed(maker: FlowMaker, calls: Sequence[Call]) -> Flow:
    """A bio's visits; each rest of a bio that is cut is followed from within the one before."""
    try:
        return flow_of(maker, _own_pieces(calls))
    except RecursionError as error:
        raise LimitExceeded(
            f"a bio of {len(calls):,} calls is cut too often, rest after rest, to be followed",
            path="workload.bs",
            value=f"{calls[0].nr:,} sectors",
            hint="smaller bios, or larger chunks",
        ) from error


def _own_pieces(calls: Sequence[Call]) -> list[Call]:
    """The calls with what each one handles itself: a rest that is given to the same device again
    is another call's."""
    rests = {
        call.parent: call.nr
        for call in calls
        if call.parent >= 0 and call.position == calls[call.parent].position
    }
    return [call._replace(nr=call.nr - rests.get(i, 0)) for i, call in enumerate(calls)]


def _assumed(
    stations: Stations, machine: Machine, makers: Sequence[FlowMaker], kernel: Kernel
) -> list[str]:
    """What a result of this model rests on that nobody measured here."""
    measured = makers[0].costs.measured
    missing = makers[0].plan.stack.missing
    lines = [f"nothing goes through what was left out: {listed(missing)}"] if missing else []
    lines += stations.figures.assumed()
    lines.append(machine.assumed())
    lines += [f"kernel: {text}" for text in kernel.taken]
    estimated = list(
        dict.fromkeys(
            name
            for maker in makers
            for name, how in maker.how.items()
            if how == "estimated" and maker.spent[name]
        )
    )
    own = "" if kernel.name == measured.kernel else f", not on {kernel.name}"
    lines.append(
        f"CPU: instructions counted on {measured.kernel}{own}; {_COMPLETION}; {CALIBRATED}"
    )
    if estimated:
        lines.append(
            "CPU, estimated from the length of the path: "
            + ", ".join(estimated[:8])
            + (f" and {len(estimated) - 8} more" if len(estimated) > 8 else "")
        )
    peers = [name for name, part in stations.buffers if part == "peer buffer"]
    if peers:
        lines.append(f"{', '.join(peers)}: the peer's disks, layers and cores are like this host's")
    if any(p.shape.op_kind == RAID456 for p in makers[0].plan.positions):
        lines.append("raid4/5/6: only a stream's own stripes meet in the stripe cache")
    plan = makers[0].plan
    if len(plan.entries) > 1:
        several = ", ".join(entry.source for entry in plan.entries)
        lines.append(f"the load is shared by what nothing connects: {several}")
    used = {station.device for station in stations.places}
    kinds = [d.kind for n, d in plan.stack.devices.items() if n in used or n in _passed(plan)]
    return lines + list(not_counted(kinds))


def _passed(plan: Plan) -> set[str]:
    """Devices that bios of the plan go through, and what submits them."""
    return {p.device.name for p in plan.positions} | {e.source for e in plan.entries}
