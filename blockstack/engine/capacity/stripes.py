"""raid4/5/6 in time: rows as long as bios allow, and stripes that a stream fills bio by bio.

The kernel handles a stripe page by page (drivers/md/raid5.c of 6.1, RAID5_STRIPE_SIZE). Pages of a
chunk that every bio covers or leaves together have one fate, so they are mapped as one row here.
"""

from dataclasses import replace
from functools import reduce
from math import gcd

import numpy as np

from blockstack.engine.plan.arrays import NLIMITS, NO_LIMIT
from blockstack.engine.plan.demand import Demand
from blockstack.engine.plan.mappings import JOINED_WRITES, ROW_WORDS, ParityRow
from blockstack.engine.plan.model import Plan
from blockstack.workload import Workload

#: stripes of a page per member that an array holds: NR_STRIPES, 6.1 drivers/md/raid5.c; it grows
#: beyond when they are used up (grow_one_stripe), so this is the least
STRIPE_CACHE = 256


def in_time(plan: Plan, demand: Demand, workload: Workload, flying: int) -> Plan:
    """A plan whose arrays with parity map the longest rows that change nothing.

    Parameters
    ----------
    plan : Plan
    demand : Demand
    workload : Workload
    flying : int
        Bios of a stream in flight: from two on, what one leaves of a stripe the next one fills.
    """
    rows = [p.shape.row for p in plan.positions]
    if not any(isinstance(row, ParityRow) for row in rows):
        return plan
    grain = _grain(plan, demand, workload)
    streamed = flying > 1 and workload.columns is None and not workload.is_random
    mapping, positions = plan.arrays.mapping.copy(), list(plan.positions)
    for at, position in enumerate(plan.positions):
        row = position.shape.row
        if not isinstance(row, ParityRow):
            continue
        block = gcd(grain, row.chunk)
        cached = _held(position.device.service.get("stripe_cache"), row.chunk)
        joined = streamed and not row.failed and cached
        new = row._replace(
            row=block if block % 8 == 0 else 0, flags=row.flags | JOINED_WRITES * joined
        )
        mapping[at * ROW_WORDS : at * ROW_WORDS + len(new)] = new
        positions[at] = replace(position, shape=replace(position.shape, row=new))
    return replace(plan, arrays=plan.arrays._replace(mapping=mapping), positions=tuple(positions))


def _held(stripes: int | None, chunk: int) -> bool:
    """Whether the stripe cache holds a chunk of every member."""
    return (STRIPE_CACHE if stripes is None else stripes) * 8 >= chunk


def _grain(plan: Plan, demand: Demand, workload: Workload) -> int:
    """Sectors of which every cut, offset and length is a multiple."""
    a = plan.arrays
    if workload.columns is None:
        sizes = workload.sizes
        own = [demand.align_sectors, sizes.low_sectors, workload.offset_sectors]
        own += [size for size, _ in sizes.table]
    else:
        given = workload.columns
        own = [int(np.gcd.reduce(np.concatenate((given.sector, given.nr_sectors))))]
    limits = a.limit.reshape(-1, NLIMITS)
    limits = limits[limits[:, 5] != NO_LIMIT, :3]
    columns = (a.child_offset, a.seg_begin, a.seg_chunk, limits.ravel())
    chunks = [
        getattr(p.shape.row, name, 0)
        for p in plan.positions
        if not isinstance(p.shape.row, ParityRow)
        for name in ("chunk", "block", "stride")
    ]
    return reduce(gcd, [*own, *chunks, *(int(np.gcd.reduce(c)) for c in columns if len(c))])
