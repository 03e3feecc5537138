"""Points measured in processes of this machine, or by the workers of a Dask cluster."""

import json
import os
import signal
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.kernel import PROFILES, Kernel, load_kernel
from blockstack.sweeps.case import blamed, case_of
from blockstack.sweeps.measures import Bench, Options, measure_of

#: points under way for each worker: none waits for the next, few are lost to an interrupt
_AHEAD = 3


@dataclass(frozen=True)
class Spec:
    """What every point of a sweep has in common; goes to each worker.

    Attributes
    ----------
    base : str
        The config's table as JSON.
    names : tuple of (key, devices)
        Of ``members.`` axes.
    measures : tuple of str
    bios, seed : int, int or None
    prices : tuple of (device or kind, price)
    files : tuple of (path, bytes)
        Frame tables that are no shipped ones: a worker elsewhere lacks the file.
    """

    base: str
    names: tuple[tuple[str, tuple[str, ...]], ...]
    measures: tuple[str, ...]
    bios: int
    seed: int | None
    prices: tuple[tuple[str, float], ...]
    files: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Job:
    """A point by its number."""

    number: int
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """A measured point.

    ``error`` is why it cannot be, with ``axis`` whose fault it is; ``bug`` is the traceback of
    what should not have happened.
    """

    number: int
    row: dict[str, Any]
    error: str = ""
    axis: str = ""
    bug: str = ""
    seconds: float = 0.0


def kernel_files(names: Iterable[str]) -> tuple[tuple[str, bytes], ...]:
    """The contents of frame tables that are files."""
    found: dict[str, bytes] = {}
    for name in names:
        if name not in PROFILES:
            with suppress(OSError):
                found[name] = Path(name).read_bytes()
    return tuple(found.items())


@lru_cache(maxsize=2)
def _bench(spec: Spec) -> tuple[dict[str, Any], dict[str, tuple[str, ...]], Bench]:
    """What a worker keeps between points of a sweep."""
    files = dict(spec.files)

    @lru_cache(maxsize=8)
    def load(name: str) -> Kernel:
        if name not in files:
            return load_kernel(name)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / Path(name).name
            copy.write_bytes(files[name])
            return load_kernel(copy)

    options = Options(spec.bios, spec.seed, dict(spec.prices))
    return json.loads(spec.base), dict(spec.names), Bench(options, load)


def run_point(spec: Spec, job: Job) -> Done:
    """Measure one point; what goes wrong is part of the answer."""
    start = time.perf_counter()
    base, names, bench = _bench(spec)
    row: dict[str, Any] = {}
    try:
        case = case_of(base, job.settings, names)
        config = case.config()
        for name in spec.measures:
            row |= measure_of(name).row(case, config, bench)
    except BlockstackError as error:
        axis = blamed(base, job.settings, names, error)
        return Done(job.number, {}, str(error), axis, "", time.perf_counter() - start)
    except Exception:  # reported with its traceback, by whoever runs the sweep
        text = traceback.format_exc()
        return Done(job.number, {}, text.strip().splitlines()[-1], "", text)
    return Done(job.number, row, seconds=time.perf_counter() - start)


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that keeps the results; it ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _died(job: Job) -> Done:
    return Done(job.number, {}, "its worker died: killed, or out of memory")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local(spec: Spec, jobs: Iterator[Job], workers: int) -> Iterator[Done]:
    """Points as they end, in ``workers`` processes; with one, in this one.

    When a worker dies, the points under way are tried again one by one: the one that kills it
    alone fails, the others are none the worse.
    """
    if workers == 1:
        yield from (run_point(spec, job) for job in jobs)
        return
    alone: deque[Job] = deque()
    while lost := (yield from _pool(spec, jobs, workers, alone)):
        if alone and lost == [alone[0]]:
            yield _died(alone.popleft())
        else:
            alone.extend(lost)


def _pool(
    spec: Spec, jobs: Iterator[Job], workers: int, alone: deque[Job]
) -> Generator[Done, None, list[Job]]:
    """One pool's life; returns the jobs that were under way when a worker died."""
    pool = ProcessPoolExecutor(workers, get_context("fork"), _ignore_interrupts)
    flying: dict[Future[Done], Job] = {}
    try:
        while True:
            _fill(pool, spec, jobs, alone, flying, workers)
            if not flying:
                return []
            ended, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in ended:
                done = future.result()
                if flying.pop(future) in alone:
                    alone.popleft()
                yield done
    except BrokenProcessPool:
        return list(flying.values())
    finally:
        for process in list((pool._processes or {}).values()):
            process.kill()
        pool.shutdown(wait=False, cancel_futures=True)


def _fill(
    pool: ProcessPoolExecutor,
    spec: Spec,
    jobs: Iterator[Job],
    alone: deque[Job],
    flying: dict[Future[Done], Job],
    workers: int,
) -> None:
    """Keep the workers busy; what was lost before goes alone."""
    if alone:
        if not flying:
            flying[pool.submit(run_point, spec, alone[0])] = alone[0]
        return
    while len(flying) < _AHEAD * workers:
        job = next(jobs, None)
        if job is None:
            return
        flying[pool.submit(run_point, spec, job)] = job


def dask_client(address: str) -> Any:
    """A client of the Dask scheduler at ``tcp://…``.

    Raises
    ------
    ConfigError
        No Dask here, or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError(
            "a cluster needs Dask",
            path="--scheduler",
            hint="in the checkout: pip install '.[sweep]'",
        ) from error
    try:
        return Client(address, timeout="15s")
    except (OSError, ValueError, TimeoutError) as error:
        raise ConfigError(f"does not answer: {error}", path="--scheduler", value=address) from error


def on_dask(spec: Spec, jobs: Iterator[Job], client: Any) -> Iterator[Done]:
    """Points as they end on a Dask cluster; a worker that dies is Dask's to replace."""
    from distributed import as_completed

    shared = client.scatter(spec, broadcast=True)
    most = _AHEAD * max(1, sum(client.nthreads().values()))
    flying: dict[Any, Job] = {}

    def submit() -> Any:
        job = next(jobs, None)
        if job is None:
            return None
        future = client.submit(run_point, shared, job, pure=False)
        flying[future] = job
        return future

    first = [one for _ in range(most) if (one := submit()) is not None]
    ended: Any = as_completed(first)
    try:
        for future in ended:
            job = flying.pop(future)
            failed = future.exception() if future.status == "error" else None
            yield future.result() if failed is None else _lost(job, failed)
            following = submit()
            if following is not None:
                ended.add(following)
    finally:
        client.cancel(list(flying))


def _lost(job: Job, failed: BaseException) -> Done:
    """Dask gave the point up: each worker that took it died, or cannot import what it needs."""
    return Done(job.number, {}, f"{type(failed).__name__}: {failed}")
