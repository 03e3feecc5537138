"""Counters of a run to a result: rates, stations, the bottleneck, and the laws that must hold."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blockstack.base import hdr
from blockstack.engine.capacity.arrays import DELAY, QUEUE, TOKENS
from blockstack.engine.capacity.core import Counters
from blockstack.engine.capacity.model import Model
from blockstack.engine.capacity.result import (
    CapacityResult,
    Law,
    LayerCost,
    LoadSpec,
    OpLatency,
    Spread,
    StationUse,
    StreamResult,
)
from blockstack.engine.capacity.stations import HELD, Place
from blockstack.engine.plan.arrays import OP_NAMES

#: two-sided 95 % quantile of Student's t with 19 degrees of freedom, for 20 batches
T_19 = 2.093
#: a station that is busier than this is full: closed loads reach 1 only in the limit
FULL = 0.9


def result_of(
    model: Model,
    loads: Sequence[LoadSpec],
    counters: Counters,
    stack: str,
    kernel: str,
    provenance: dict[str, Any],
    *,
    followed: bool,
    names: Sequence[str] = (),
) -> CapacityResult:
    """Everything that a run found."""
    seconds = counters.elapsed_ns / 1e9
    per_batch = counters.bios / len(counters.batch_ns)
    _, iops_error = _mean_and_error(
        per_batch / counters.batch_ns * 1e9 if counters.finished else np.zeros(1)
    )
    latency, latency_error = _mean_and_error(counters.batch_lat_ns / per_batch)
    ops = _ops(counters.tally, counters.lat, counters.clat, seconds)
    streams = _streams(loads, names, counters, seconds)
    stations = _stations(model, counters)
    full, following = _bottlenecks(stations, counters.finished)
    iops = counters.bios / seconds if seconds else 0.0
    iops_error = math.hypot(iops_error, iops * _uneven(stations, full))
    layers = _layers(model, counters)
    core_ns = sum(layer.ns for layer in layers)
    return CapacityResult(
        stack=stack,
        kernel=kernel,
        load=_together(loads),
        saturated=not counters.finished or _falls_behind(loads, streams, stations),
        bios=counters.bios,
        seconds=seconds,
        iops=iops,
        iops_error=iops_error,
        latency_ns=latency,
        latency_error_ns=latency_error,
        bytes_per_second=sum(op.bytes_per_second for op in ops),
        ops=ops,
        stations=stations,
        bottleneck=full.label,
        next_bottleneck=following.label,
        ceiling_iops=full.ceiling_iops,
        next_ceiling_iops=following.ceiling_iops,
        full=full.stations,
        layers=layers,
        iops_per_core=1e9 / core_ns if core_ns else math.inf,
        laws=_laws(model, counters),
        assumed=model.assumed,
        provenance=provenance,
        rows=counters.rows if followed else None,
        places=tuple(p.label for p in model.places),
        streams=streams if len(streams) > 1 else (),
    )


def _together(loads: Sequence[LoadSpec]) -> LoadSpec:
    """One load, or what several are together."""
    if len(loads) == 1:
        return loads[0]
    return LoadSpec("several", max(one.iodepth for one in loads), sum(x.numjobs for x in loads))


def _streams(
    loads: Sequence[LoadSpec], names: Sequence[str], counters: Counters, seconds: float
) -> tuple[StreamResult, ...]:
    """Each load's own bios."""
    found = []
    for i, load in enumerate(loads):
        tally = counters.tallies[i]
        ops = _ops(tally, counters.lats[i], counters.clats[i], seconds)
        bios = int(tally[:, 0].sum())
        found.append(
            StreamResult(
                names[i] if names else f"load {i}",
                load,
                bios,
                bios / seconds if seconds else 0.0,
                sum(op.bytes_per_second for op in ops),
                float(tally[:, 2].sum()) / bios if bios else 0.0,
                ops,
            )
        )
    return tuple(found)


def _layers(model: Model, counters: Counters) -> tuple[LayerCost, ...]:
    """CPU time per bio: that of each workload's, by its share of the bios."""
    if len(model.parts) == 1:
        return model.parts[0].layers
    shares = counters.tallies[:, :, 0].sum(axis=1) / max(counters.bios, 1)
    found: dict[str, LayerCost] = {}
    for part, share in zip(model.parts, shares.tolist(), strict=True):
        for one in part.layers:
            so_far = found.get(one.layer, LayerCost(one.layer, 0.0, 0.0, one.how))
            found[one.layer] = replace(
                so_far,
                ns=so_far.ns + share * one.ns,
                instructions=so_far.instructions + share * one.instructions,
            )
    return tuple(found.values())


def _falls_behind(
    loads: Sequence[LoadSpec], streams: Sequence[StreamResult], stations: Sequence[StationUse]
) -> bool:
    """An open load that a full station keeps below its own rate: what is in flight only grows."""
    busiest = max(s.utilisation for s in stations if s.limited)
    return busiest > 0.99 and any(
        load.rate_iops is not None and own.iops < 0.95 * load.rate_iops
        for load, own in zip(loads, streams, strict=True)
    )


def _mean_and_error(batches: "np.ndarray[Any, np.dtype[np.float64]]") -> tuple[float, float]:
    n = len(batches)
    error = T_19 * float(batches.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    return float(batches.mean()), error


def _spread(count: float, total: float, squares: float, least: float, most: float) -> Spread:
    mean = total / count
    return Spread(mean, math.sqrt(max(squares / count - mean * mean, 0.0)), least, most)


def _ops(
    tally: NDArray[np.float64], lat: NDArray[np.uint64], clat: NDArray[np.uint64], seconds: float
) -> tuple[OpLatency, ...]:
    return tuple(
        _op(op, tally[op], lat[op], clat[op], seconds)
        for op in range(len(OP_NAMES))
        if tally[op, 0]
    )


def _op(
    op: int,
    tally: NDArray[np.float64],
    lat_counts: NDArray[np.uint64],
    clat_counts: NDArray[np.uint64],
    seconds: float,
) -> OpLatency:
    count, n_bytes, *sums = (float(x) for x in tally)
    lat, slat = _spread(count, *sums[:4]), _spread(count, *sums[4:])
    # clat is lat less slat, bio by bio: only its mean is exact, the rest is the histogram's
    least, most = hdr.percentiles(clat_counts, (0.0, 100.0))
    values = np.array(list(hdr.bins(clat_counts).items()), np.float64)
    mean = lat.mean_ns - slat.mean_ns
    spread = math.sqrt(float(np.average((values[:, 0] - mean) ** 2, weights=values[:, 1])))
    return OpLatency(
        OP_NAMES[op],
        int(count),
        count / seconds,
        n_bytes / seconds,
        slat,
        Spread(mean, spread, least, most),
        lat,
        lat_counts.copy(),
        clat_counts.copy(),
    )


def _use(
    place: Place, servers: int, limited: bool, row: Sequence[float], counters: Counters
) -> StationUse:
    done, here, busy, sojourn, waited, most_waiting, merged = (float(x) for x in row[:7])
    span, bios = counters.elapsed_ns, max(counters.bios, 1)
    demand, visits = busy / bios, max(done, 1.0)
    return StationUse(
        place.name,
        place.part,
        servers,
        limited,
        busy / span / (servers if limited else 1),
        done / bios,
        demand,
        busy / visits,
        waited / visits,
        sojourn / visits,
        here / span,
        int(most_waiting),
        int(merged),
        servers / demand * 1e9 if limited and demand > 0 else math.inf,
        place.work,
        place.device,
        bool(place.side),
    )


def _stations(model: Model, counters: Counters) -> tuple[StationUse, ...]:
    """One row per station, but one for all submitting jobs, and one for all cores."""
    rows, kinds = counters.stations, model.plan.kind
    jobs = rows[: model.jobs].sum(axis=0)
    jobs[5] = rows[: model.jobs, 5].max()
    found = [_use(Place("submitting", "", "cpu"), model.jobs, True, jobs, counters)]
    i = model.jobs
    while i < len(rows):
        place, like = model.places[i], int(model.plan.spread[i])
        own, servers = rows[i : i + like].sum(axis=0), int(model.plan.servers[i]) * like
        own[5] = rows[i : i + like, 5].max()
        found.append(_use(place, servers, bool(kinds[i] != DELAY), own, counters))
        if kinds[i] == TOKENS:  # a token's sojourn is not one visit's
            found[-1] = replace(found[-1], sojourn_ns=0.0)
        i += like
    in_pool = rows[model.plan.pool == 0].sum(axis=0)  # this host's
    in_pool[5] = 0
    found.append(_use(Place("all", "", "cores"), model.cpus, True, in_pool, counters))
    return tuple(s for s in found if s.visits_per_bio)


class _Bound(NamedTuple):
    """What a rate is bounded by: in words, the rate, and the stations that are full at it."""

    label: str
    ceiling_iops: float
    stations: tuple[str, ...] = ()


def _bottlenecks(stations: Sequence[StationUse], steady: bool) -> tuple[_Bound, _Bound]:
    """The busiest station and the one that would be next: by what they allow, fewest bios first.

    Tokens count only where no server is full: a token is held while its bio waits for one.
    """
    servers = sorted(
        (s for s in stations if s.limited and not _is_token(s)), key=lambda s: s.ceiling_iops
    )
    busiest = max((s.utilisation for s in servers), default=0.0)
    tokens = [s for s in stations if _is_token(s) and s.utilisation > FULL]
    groups = _peers(servers) or [_Bound("nothing", math.inf)]
    if busiest < FULL and tokens:
        first = max(tokens, key=lambda s: s.utilisation)
        groups.insert(0, _Bound(first.label, first.ceiling_iops, (first.label,)))
    elif busiest < FULL and steady:
        groups.insert(0, _Bound("iodepth", groups[0].ceiling_iops))
    return groups[0], groups[min(1, len(groups) - 1)]


def _uneven(stations: Sequence[StationUse], full: "_Bound") -> float:
    """How much the sampled places load the fullest of like stations above their mean: the places
    are drawn once and sent again and again, so that no number of bios evens this out."""
    fullest = next((s for s in stations if s.label in full.stations and not _is_token(s)), None)
    if fullest is None or fullest.part not in ("media", "bus", "send", "receive"):
        return 0.0
    like = [
        s.demand_ns
        for s in stations
        if (s.part, s.servers, s.remote) == (fullest.part, fullest.servers, fullest.remote)
        and s.demand_ns > 0.5 * fullest.demand_ns
    ]
    return max(like) / (sum(like) / len(like)) - 1


def _peers(servers: Sequence[StationUse]) -> list[_Bound]:
    """Stations that would be full together (within a tenth, the members of an array) as one."""
    groups: list[list[StationUse]] = []
    for station in servers:
        for group in groups:
            if (
                station.part == group[0].part
                and station.servers == group[0].servers
                and station.ceiling_iops < 1.1 * group[0].ceiling_iops
            ):
                group.append(station)
                break
        else:
            groups.append([station])
    return [
        _Bound(
            group[0].label + (f" and {len(group) - 1} more" if len(group) > 1 else ""),
            group[0].ceiling_iops,
            tuple(station.label for station in group),
        )
        for group in groups
    ]


def _is_token(station: StationUse) -> bool:
    return station.part in HELD


def _laws(model: Model, counters: Counters) -> tuple[Law, ...]:
    """Little's law and the utilisation law at the queue that obeys them least. What is inside at
    the end has no sojourn yet: stations with few visits are left out."""
    worst = {"Little": (-1.0, ""), "utilisation": (-1.0, "")}
    for i, row in enumerate(counters.stations):
        done, here, busy, sojourn, waited, _, _, left = (float(x) for x in row)
        if model.plan.kind[i] != QUEUE or model.plan.merge[i] or done < 1000 or left > done / 50:
            continue
        name = model.places[i].label
        for law, one, other in (("Little", here, sojourn), ("utilisation", busy, sojourn - waited)):
            off = abs(one - other) / max(one, other, 1.0)
            worst[law] = max(worst[law], (off, name))
    return tuple(Law(law, off, name) for law, (off, name) in worst.items() if name)
