"""A service plan, put together station by station and bio by bio."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.engine.capacity.arrays import (
    BACKGROUND,
    EMPIRICAL,
    EXPONENTIAL,
    QUEUE,
    ServicePlan,
)
from blockstack.engine.capacity.core import TABLE_QUANTILES

MOST_SECTORS = 2560  # of a request: max_sectors_kb 1280, BLK_DEF_MAX_SECTORS of 6.1 blkdev.h


@dataclass(frozen=True)
class Disk:
    """A moving head: a seek of ``seek_ns + root_ns * sqrt(sectors)`` (Ruemmler and Wilkes 1994, "An
    introduction to disk drive modeling") and the rest of a rotation; neither where the last request
    ended. A visit that has waited ``expire_ns`` goes first. A sector passes below in ``pass_ns``.
    """

    seek_ns: float
    root_ns: float
    period_ns: float
    expire_ns: float
    pass_ns: float = 0.0


@dataclass(frozen=True)
class StationSpec:
    """One row of the stations' table; see `ServicePlan`."""

    name: str
    kind: int = QUEUE
    dist: int = EXPONENTIAL
    servers: int = 1
    pool: int = -1
    merge: bool = False
    lookahead: int = 1
    disk: Disk | None = None
    table: int = -1
    spread: int = 1


@dataclass
class Flow:
    """What one bio does: visits, each after those that it waits for; while ``background`` is set,
    visits are added that nobody waits for."""

    rows: list[tuple[int, int, float, float, int, int, int]] = field(default_factory=list)
    after: list[tuple[int, ...]] = field(default_factory=list)
    background: bool = False

    def visit(
        self,
        station: int,
        random_ns: float = 0.0,
        constant_ns: float = 0.0,
        *,
        after: Iterable[int] = (),
        flags: int = 0,
        sector: int = 0,
        end: int = 0,
        op: int = 0,
    ) -> int:
        """Add a visit; its number, for the ``after`` of later ones."""
        flags |= BACKGROUND * self.background
        self.rows.append((station, flags, random_ns, constant_ns, sector, end, op))
        self.after.append(tuple(after))
        return len(self.rows) - 1


@dataclass
class Builder:
    """Stations, pools, tables and templates, in order of their numbers."""

    stations: list[StationSpec] = field(default_factory=list)
    cores: list[int] = field(default_factory=list)
    tables: list[NDArray[np.float64]] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    ops: list[int] = field(default_factory=list)
    bio_bytes: list[int] = field(default_factory=list)

    def station(self, spec: StationSpec) -> int:
        """Add a station; its number."""
        self.stations.append(spec)
        return len(self.stations) - 1

    def pool(self, cores: int) -> int:
        """Add a pool of cores; its number."""
        self.cores.append(cores)
        return len(self.cores) - 1

    def quantiles(self, samples: Sequence[float] | NDArray[np.float64]) -> int:
        """Add an empirical distribution, scaled to mean 1; its table's number."""
        middles = (np.arange(TABLE_QUANTILES) + 0.5) / TABLE_QUANTILES
        # the samples themselves, nothing invented between two of them
        table = np.quantile(np.asarray(samples, np.float64), middles, method="inverted_cdf")
        self.tables.append(table / table.mean())
        return len(self.tables) - 1

    def template(self, flow: Flow, *, op: int = 0, n_bytes: int = 0) -> int:
        """Add a bio; its template's number."""
        self.flows.append(flow)
        self.ops.append(op)
        self.bio_bytes.append(n_bytes)
        return len(self.flows) - 1

    def build(self) -> ServicePlan:
        """The arrays."""
        s = self.stations
        disks = [d or Disk(0, 0, 0, 0) for d in (one.disk for one in s)]
        rows = [row for flow in self.flows for row in flow.rows]
        columns = list(zip(*rows, strict=True)) if rows else [()] * 7
        start, succ = _edges(self.flows)
        sizes = [len(flow.rows) for flow in self.flows]
        return ServicePlan(
            kind=_array([x.kind for x in s], np.uint8),
            dist=_array([x.dist for x in s], np.uint8),
            servers=_array([x.servers for x in s], np.int32),
            pool=_array([x.pool for x in s], np.int32),
            merge=_array([x.merge for x in s], np.uint8),
            lookahead=_array([x.lookahead for x in s], np.int32),
            most_sectors=_array([MOST_SECTORS] * len(s), np.int64),
            disk_ns=_array(
                [
                    x
                    for d in disks
                    for x in (d.seek_ns, d.root_ns, d.period_ns, d.expire_ns, d.pass_ns)
                ],
                np.float64,
            ),
            quantiles=np.concatenate(self.tables) if self.tables else np.zeros(0),
            table=_array([x.table if x.dist == EMPIRICAL else -1 for x in s], np.int32),
            spread=_array([x.spread for x in s], np.int32),
            cores=_array(self.cores, np.int32),
            node_start=_array([0, *np.cumsum(sizes)], np.int32),
            op=_array(self.ops, np.uint8),
            bio_bytes=_array(self.bio_bytes, np.int64),
            station=_array(columns[0], np.int32),
            flags=_array(columns[1], np.uint8),
            random_ns=_array(columns[2], np.float64),
            constant_ns=_array(columns[3], np.float64),
            sector=_array(columns[4], np.int64),
            end=_array(columns[5], np.int64),
            node_op=_array(columns[6], np.uint8),
            succ_start=_array(start, np.int32),
            succ=_array(succ, np.int32),
        )


def _array(values: Iterable[float], dtype: type) -> NDArray[Any]:
    return np.array(list(values), dtype)


def _edges(flows: Iterable[Flow]) -> tuple[list[int], list[int]]:
    """Successors in CSR form, from each node's predecessors."""
    start, succ = [0], []
    for flow in flows:
        following: list[list[int]] = [[] for _ in flow.rows]
        for node, before in enumerate(flow.after):
            for one in set(before):
                following[one].append(node)
        for after in following:
            succ += after
            start.append(len(succ))
    return start, succ
