"""A trace as a workload of a stack: its first bios, in order of arrival, on the stack's roots."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blockstack.base.hints import listed
from blockstack.loads.traces.reading import TraceError
from blockstack.workload import Workload
from blockstack.workload.trace import Trace


def first_bios(chunks: Iterator[Trace], most: int) -> tuple[Trace, bool]:
    """The first ``most`` bios of a file, sorted by time, and whether there are more."""
    parts: list[Trace] = []
    rows = 0
    for chunk in chunks:
        parts.append(chunk)
        rows += len(chunk)
        if rows > most:
            break
    return Trace.joined(parts).take(slice(most)).sorted(), rows > most


def as_workload(
    trace: Trace, roots: Sequence[str], mapping: Mapping[str, str], *, direct: bool
) -> tuple[Workload, NDArray[np.float64]]:
    """Columns and arrival times in ns.

    Parameters
    ----------
    trace : Trace
    roots : sequence of str
        The stack's roots, in its order.
    mapping : mapping of str to str
        Trace device to root, ``*`` for those that nothing else maps; the rest goes by equal names,
        or to the only root if the trace has one device.
    direct : bool

    Raises
    ------
    TraceError
        A device of the trace without a root.
    """
    used = [trace.devices[i] for i in np.unique(trace.device)]
    for device, root in mapping.items():
        if (device not in trace.devices and device != "*") or root not in roots:
            raise TraceError(
                "no such device",
                path="--map",
                value=f"{device}={root}",
                hint=f"in the trace: {listed(used)}; roots: {listed(roots)}",
            )
    alone = {used[0]: roots[0]} if len(used) == 1 and len(roots) == 1 else {}
    rest = dict.fromkeys(used, mapping["*"]) if "*" in mapping else {}
    target = rest | alone | {name: name for name in used if name in roots} | dict(mapping)
    lost = [name for name in used if name not in target]
    if lost:
        raise TraceError(
            "devices without a root of the stack",
            path="--trace",
            value=lost[0],
            hint=f"--map '*={roots[0]}' sends all to one root, or --map "
            f"{lost[0]}=ROOT for each of {listed(lost)}; roots: {listed(roots)}",
        )
    number = np.array(
        [roots.index(target[name]) if name in target else 0 for name in trace.devices], np.int32
    )
    workload = Workload.from_columns(
        trace.op, trace.sector, trace.nr_sectors, number[trace.device], direct=direct
    )
    return workload, trace.time_ns.astype(np.float64)
