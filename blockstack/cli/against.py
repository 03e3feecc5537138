"""``capacity --against``: what the model says beside what fio measured on the same stack."""

from dataclasses import replace
from pathlib import Path

from rich import box
from rich.table import Table

from blockstack.engine.capacity.result import CapacityResult, OpLatency
from blockstack.engine.capacity.run import capacity
from blockstack.kernel import Kernel
from blockstack.loads.fio_result import Measured, read_results
from blockstack.scenario.config import Config
from blockstack.workload import Workload


def against(case: Config, kernel: Kernel, path: Path, bios: int) -> Table:
    """A row for each job and direction of fio's result: rate and mean latency, and their ratios.

    Raises
    ------
    BlockstackError
        Not fio's JSON; a load that the stack cannot have.
    """
    table = Table(box=box.SIMPLE, header_style="bold")
    for name in ("load", "op", "IOPS", "predicted", "ratio", "mean", "predicted", "ratio"):
        table.add_column(name, justify="left" if name in ("load", "op") else "right")
    for one in read_results(path):
        found = _predicted(case, kernel, one, bios)
        for op in found.ops:
            if op.op == one.op:
                table.add_row(*_row(one, op))
    return table


def _predicted(case: Config, kernel: Kernel, one: Measured, bios: int) -> CapacityResult:
    """The stack under the load of one of fio's jobs."""
    workload = Workload(
        rw=one.rw,
        bs=one.bs_bytes,
        rwmixread=one.rwmixread,
        direct=True,
        offset=case.workload.offset,
        size=case.workload.size,
        seed=case.workload.seed,
    )
    return capacity(
        case.stack,
        workload,
        kernel=kernel,
        machine=replace(case.machine),
        iodepth=one.iodepth,
        numjobs=one.numjobs,
        bios=bios,
    )


def _row(one: Measured, op: OpLatency) -> tuple[str, ...]:
    """Measured beside predicted."""
    return (
        f"{one.rw} {one.bs_bytes >> 10} KiB, {one.iodepth} × {one.numjobs}",
        one.op,
        f"{one.iops:,.0f}",
        f"{op.iops:,.0f}",
        f"{op.iops / one.iops:.2f}",
        f"{one.latency_ns / 1e3:,.1f} µs",
        f"{op.total.mean_ns / 1e3:,.1f} µs",
        f"{op.total.mean_ns / one.latency_ns:.2f}" if one.latency_ns else "",
    )
