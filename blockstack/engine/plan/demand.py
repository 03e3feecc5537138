"""What a workload asks of the engines: its operations, its largest bio, its generator."""

from dataclasses import dataclass

import numpy as np

from blockstack.engine.plan.arrays import OP_NAMES, DrawSpec
from blockstack.engine.plan.core import Columns
from blockstack.workload import Workload


@dataclass(frozen=True)
class Demand:
    """A workload as the engines see it.

    Attributes
    ----------
    ops : tuple of str
        Operations that it has.
    max_sectors, align_sectors : int
        Largest bio, and what every first sector is a multiple of.
    bios : int
    """

    ops: tuple[str, ...]
    max_sectors: int
    align_sectors: int
    bios: int


def demand_of(workload: Workload) -> Demand:
    """Operations, largest bio and alignment of a workload."""
    if workload.columns is None:
        ops = tuple(name for name, share in zip(OP_NAMES, workload.op_shares, strict=True) if share)
        sizes = workload.sizes
        align = int(np.gcd(sizes.low_sectors, workload.offset_sectors))
        return Demand(ops, sizes.high_sectors, align, workload.bios)
    columns = workload.columns
    ops = tuple(OP_NAMES[op] for op in np.unique(columns.op))
    data = columns.nr_sectors[columns.nr_sectors > 0]
    align = int(np.gcd.reduce(np.concatenate((columns.sector, [0])))) or 1
    return Demand(ops, int(data.max(initial=1)), align, len(columns.op))


def source_of(
    workload: Workload, capacity_sectors: tuple[int, ...], seed: int | None
) -> DrawSpec | Columns:
    """The core's input: a generator's numbers, or columns checked against the roots' sizes.

    Raises
    ------
    ConfigError
        A bio beyond the end of its root, or for a root that there is not.
    """
    columns = workload.columns
    if columns is None:
        return workload.draw_spec(list(capacity_sectors), seed)
    columns.check_capacity(np.array(capacity_sectors, np.int64))
    return Columns(columns.op, columns.sector, columns.nr_sectors, columns.root)
