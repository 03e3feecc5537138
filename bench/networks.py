"""Small queueing networks for the event loop: plans of plain stations."""

from collections.abc import Sequence

from blockstack.engine.capacity.arrays import ServicePlan
from blockstack.engine.capacity.build import Builder, Flow, StationSpec

CLOSED_8 = ([100.0] * 8, [1] * 8)  # means in ns, servers: eight single servers in a ring
MM8 = ([100.0], [8])


def tandem(means_ns: Sequence[float], servers: Sequence[int]) -> ServicePlan:
    """One template that visits every exponential station in order."""
    builder, flow = Builder(), Flow()
    for i, (mean, c) in enumerate(zip(means_ns, servers, strict=True)):
        builder.station(StationSpec(f"station {i}", servers=c))
        flow.visit(i, mean, after=[i - 1] if i else [])
    builder.template(flow, n_bytes=4096)
    return builder.build()
