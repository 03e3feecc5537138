"""The event loop's input: stations, templates of visits, a load."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

QUEUE, DELAY, TOKENS = range(3)
CONSTANT, EXPONENTIAL, EMPIRICAL, DISK = range(4)
PER_JOB, BACKGROUND, RELEASE, CALLER, SPREAD = 1, 2, 4, 8, 16
CLOSED, OPEN, PACED, TRACE = range(4)
NO_TIMES: NDArray[np.float64] = np.zeros(0)


class ServicePlan(NamedTuple):
    """Stations (S), pools of cores (C), templates (T), their nodes (N) and edges (E).

    A template is what one bio does: a graph of visits without circles. Nodes of one template are
    contiguous, successors come later and are numbered from the template's first node.
    """

    kind: NDArray[np.uint8]  # [S] QUEUE, DELAY, TOKENS
    dist: NDArray[np.uint8]  # [S] of random_ns
    servers: NDArray[np.int32]  # [S] servers, or tokens
    pool: NDArray[np.int32]  # [S] -1: none
    merge: NDArray[np.uint8]  # [S] back merges of waiting visits
    lookahead: NDArray[np.int32]  # [S] how many waiting visits a scheduler looks through
    most_sectors: NDArray[np.int64]  # [S] of a merged batch
    disk_ns: NDArray[np.float64]  # [S*5] seek, per root of a sector, rotation, expiry, pass
    quantiles: NDArray[np.float64]  # [1024 per table] of mean 1
    table: NDArray[np.int32]  # [S] number of the quantiles' table
    spread: NDArray[np.int32]  # [S] like stations from here on, of which a SPREAD visit takes one
    cores: NDArray[np.int32]  # [C]
    node_start: NDArray[np.int32]  # [T+1]
    op: NDArray[np.uint8]  # [T] read .. fua
    bio_bytes: NDArray[np.int64]  # [T]
    station: NDArray[np.int32]  # [N]
    flags: NDArray[np.uint8]  # [N] PER_JOB | BACKGROUND | RELEASE | CALLER | SPREAD
    random_ns: NDArray[np.float64]  # [N] mean of the random part of the service
    constant_ns: NDArray[np.float64]  # [N] added
    sector: NDArray[np.int64]  # [N] on the station's device
    end: NDArray[np.int64]  # [N]; of a token: end - sector are taken or given back, at least one
    node_op: NDArray[np.uint8]  # [N]
    succ_start: NDArray[np.int32]  # [N+1]
    succ: NDArray[np.int32]  # [E] local number


class Load(NamedTuple):
    """How bios arrive.

    CLOSED: ``jobs * depth`` circulate, each after a pause of ``think_ns``. OPEN: Poisson with mean
    gap ``gap_ns``; PACED: every ``gap_ns``. TRACE: at ``times_ns``, bio *i* by template *i* mod T.
    ``templates``: the first and the number of those that take turns; None: all.
    """

    mode: int
    jobs: int = 1
    depth: int = 1
    gap_ns: float = 0.0
    think_ns: float = 0.0
    times_ns: NDArray[np.float64] = NO_TIMES
    templates: tuple[int, int] | None = None
