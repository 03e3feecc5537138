"""The compiled core with the twin's face, so that one test can ask either."""

from typing import Any

from reference import Counters, Hop

from blockstack.engine.plan import core
from blockstack.engine.plan.arrays import DrawSpec, IrqSpec, PlanArrays


def source_of(workload: Any) -> DrawSpec | core.Columns:
    return workload if isinstance(workload, DrawSpec) else core.Columns(*workload)


def as_counters(found: core.RunCounters) -> Counters:
    return Counters(
        visits=found.visits.tolist(),
        sectors=found.sectors.tolist(),
        peak_bytes=found.peak_bytes.tolist(),
        peak_bio=found.peak_bio.tolist(),
        overflows=found.overflows.tolist(),
        splits=found.splits,
        jobs=found.jobs,
        peak_pending=found.peak_pending,
        peak_jobs=found.peak_jobs,
        peak_nesting=found.peak_nesting,
        bios=found.bios,
        irq_strikes=found.irq_strikes,
        irq_overflows=found.irq_overflows,
        irq_peak=found.irq_peak,
    )


def run(
    arrays: PlanArrays,
    workload: Any,
    *,
    first: int = 0,
    count: int,
    irq: IrqSpec | None = None,
    threads: int = 1,
) -> Counters:
    source = source_of(workload)
    return as_counters(core.run(arrays, source, first=first, count=count, threads=threads, irq=irq))


def run_in_parts(
    arrays: PlanArrays, workload: Any, parts: list[tuple[int, int]], *, irq: IrqSpec | None = None
) -> Counters:
    """Ranges of bios run one by one and added up."""
    source = source_of(workload)
    return as_counters(
        core.merged(core.run(arrays, source, first=at, count=n, irq=irq) for at, n in parts)
    )


def replay(arrays: PlanArrays, workload: Any, index: int) -> list[Hop]:
    return [Hop(*call) for call in core.replay(arrays, source_of(workload), index)]
