"""The front door: how fast does this stack go under this workload?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import ConfigError
from blockstack.engine.capacity.arrays import CLOSED, OPEN, PACED, TRACE, Load
from blockstack.engine.capacity.core import Counters, run
from blockstack.engine.capacity.model import Model, build_model
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.summary import result_of
from blockstack.engine.depth.simulate import as_kernel
from blockstack.kernel import Kernel
from blockstack.stack import Stack
from blockstack.stack.machine import Machine
from blockstack.workload import Workload

DEFAULT_BIOS, BATCHES = 100_000, 20
MOST_TOGETHER = 64  # workloads at once; the core has histograms for each
_MOST_BYTES = 256 * 2**20  # of visits in flight
_VISIT_BYTES = 64


@dataclass(frozen=True)
class Capacity:
    """A compiled model that can be run under several loads; see `capacity`."""

    model: Model
    stack: str
    kernel: Kernel
    machine: Machine
    seed: int

    def run(
        self,
        load: LoadSpec | Sequence[LoadSpec],
        *,
        names: Sequence[str] = (),
        bios: int = DEFAULT_BIOS,
        follow: int = 0,
    ) -> CapacityResult:
        """One load, or one for each of the model's workloads at once: ``bios`` measured after a
        warm-up; the last ``follow`` are written down. ``names`` are the loads' in the result."""
        loads = (load,) if isinstance(load, LoadSpec) else tuple(load)
        parts = self.model.parts
        if [one.numjobs for one in loads] != [part.jobs for part in parts]:
            raise ConfigError(
                "the model was made for another number of jobs",
                path="numjobs",
                value=[one.numjobs for one in loads],
                hint=f"{[part.jobs for part in parts]}",
            )
        flying = sum(one.iodepth * one.numjobs for one in loads if one.rate_iops is None)
        closed = all(one.rate_iops is None for one in loads)
        most = _MOST_BYTES // (_VISIT_BYTES * self.model.width)
        room = flying + self.model.behind + 16
        if flying > most:
            raise ConfigError(
                "too many bios in flight",
                path="iodepth",
                value=flying,
                hint=f"iodepth times numjobs at most {most} for this stack",
            )
        if not closed:
            room = max(64, flying, min(100_000, most))
        # first the transient: full write buffers, longest queues
        warmup = max(bios // 10, 4 * (flying + self.model.behind)) if closed else bios // 5
        arrivals = [_arrivals(one, part.templates) for one, part in zip(loads, parts, strict=True)]
        counters = self._loop(arrivals, bios, warmup, room, follow)
        if not counters.finished and warmup:  # perhaps before the warm-up was over
            counters, warmup = self._loop(arrivals, bios, 0, room, follow), 0
        return result_of(
            self.model,
            loads,
            counters,
            self.stack,
            self.kernel.name,
            self._provenance(warmup),
            followed=follow > 0,
            names=names,
        )

    def replay(self, times_ns: NDArray[np.float64], *, follow: int = 0) -> CapacityResult:
        """The bios of a model of ``every`` one, at their arrival times (ns, not falling).

        There is no warm-up: the stack is empty when the first bio comes, as a trace's was not.

        Raises
        ------
        ConfigError
            Another number of times than of bios; all bios at one time.
        """
        bios = len(times_ns)
        if bios != self.model.sampled:
            raise ConfigError(
                f"has {bios} rows, the model has {self.model.sampled} bios", path="times_ns"
            )
        if bios < 2 or times_ns[-1] <= times_ns[0]:
            raise ConfigError(
                "has no arrival times: all bios come at once",
                path="times_ns",
                hint="give a closed load instead: --iodepth",
            )
        room = max(64, min(bios + 16, _MOST_BYTES // (_VISIT_BYTES * self.model.width)))
        arrivals = Load(TRACE, self.model.jobs, times_ns=times_ns)
        counters = self._loop([arrivals], bios, 0, room, follow)
        return result_of(
            self.model,
            (LoadSpec("trace", numjobs=self.model.jobs),),
            counters,
            self.stack,
            self.kernel.name,
            self._provenance(0),
            followed=follow > 0,
        )

    def _loop(
        self, arrivals: Sequence[Load], bios: int, warmup: int, room: int, follow: int
    ) -> Counters:
        return run(
            self.model.plan,
            arrivals,
            bios=bios,
            warmup=warmup,
            batches=min(BATCHES, bios),
            seed=self.seed,
            max_flying=room,
            record=(warmup, follow),
        )

    def _provenance(self, warmup: int) -> dict[str, Any]:
        return self.kernel.provenance() | {
            "seed": self.seed,
            "plan": self.model.digest,
            "warmup_bios": warmup,
            "sampled_bios": self.model.sampled,
            "machine": self.machine.to_dict(),
            "overrides": list(self.kernel.overrides),
            "stack": self.stack,
        }


def _arrivals(load: LoadSpec, templates: tuple[int, int]) -> Load:
    """A load in the event loop's terms."""
    mode = CLOSED if load.rate_iops is None else PACED if load.mode == "paced" else OPEN
    return Load(
        mode,
        load.numjobs,
        load.iodepth,
        gap_ns=0.0 if load.rate_iops is None else 1e9 / load.rate_iops,
        think_ns=load.thinktime_ns,
        templates=templates,
    )


def prepare(
    stack: Stack,
    workload: Workload | Sequence[Workload],
    *,
    kernel: Kernel | str | Path,
    machine: Machine | None = None,
    numjobs: int | Sequence[int] = 1,
    submission: str | None = None,
    seed: int | None = None,
    iodepth: int = 1,
    every: bool = False,
    memory_limit_bytes: int | None = None,
) -> Capacity:
    """Compile the model once, for several loads.

    Parameters
    ----------
    stack : Stack
        Devices and what they stand on.
    workload : Workload or sequence of Workload
        Several are modelled at once, on the same stations.
    kernel : Kernel, str or Path
        A shipped name, or the path of a frame table.
    machine : Machine or None
        Cores, clock and instructions per cycle; None: `Machine`'s assumed ones.
    numjobs : int or sequence of int
        Tasks that submit, of each workload; 1 to 4096.
    submission : {None, "recursive", "fifo", "two-list", "lifo"}
        None: the kernel's own rule.
    seed : int or None
        Same inputs and seed give the same answer, bit for bit. None: the workload's own.
    iodepth : int
        What a job has in flight: neighbours may fill a stripe together.
    every : bool
        Compile each bio of the workload, for `Capacity.replay`; else a sample.
    memory_limit_bytes : int or None
        For what one bio becomes; None: `fan_out.MEMORY_LIMIT_BYTES`.

    Returns
    -------
    Capacity
        `Capacity.run` answers for one load, `until_knee` for a row of them.

    Raises
    ------
    BlockstackError
        A kind or operation that the kernel lacks, a workload that does not fit the stack.
    LimitExceeded
        A bio would become more calls than the memory limit has room for.
    """
    workloads = (workload,) if isinstance(workload, Workload) else tuple(workload)
    each = (numjobs,) * len(workloads) if isinstance(numjobs, int) else tuple(numjobs)
    chosen = as_kernel(kernel).override(submission=submission)
    host = machine or Machine()
    used = workloads[0].seed if seed is None else seed
    for jobs in each:
        if isinstance(jobs, bool) or not 1 <= jobs <= 4096:
            raise ConfigError("must be a whole number from 1 to 4096", path="numjobs", value=jobs)
    if not 1 <= len(workloads) <= MOST_TOGETHER or len(each) != len(workloads):
        raise ConfigError(
            f"from 1 to {MOST_TOGETHER} workloads at once, each with its numjobs",
            path="workload",
            value=len(workloads),
        )
    model = build_model(
        stack,
        workloads,
        chosen,
        host,
        each,
        seed,
        flying=iodepth,
        every=every,
        memory_limit_bytes=memory_limit_bytes,
    )
    return Capacity(model, stack.name, chosen, host, used)


def capacity(
    stack: Stack,
    workload: Workload,
    *,
    kernel: Kernel | str | Path,
    iodepth: int = 1,
    numjobs: int = 1,
    rate_iops: float | None = None,
    thinktime_ns: float = 0.0,
    machine: Machine | None = None,
    submission: str | None = None,
    seed: int | None = None,
    bios: int = DEFAULT_BIOS,
    follow: int = 0,
) -> CapacityResult:
    """Rate, latencies, utilisations and the bottleneck of a stack under a workload.

    A sample of the workload's bios goes through the submission engine, which says what requests
    each makes and in which task; an event loop then runs them against servers: cores, devices,
    links.

    Parameters
    ----------
    stack : Stack
        Devices with their ``service`` figures; what they do not say is taken from one published
        device of the kind, and listed in ``assumed``.
    workload : Workload
    kernel : Kernel, str or Path
    iodepth, numjobs : int
        Closed load: so many bios of so many tasks are always in flight, each followed by the next
        after ``thinktime_ns``.
    rate_iops : float or None
        Open load instead: Poisson arrivals at this rate.
    thinktime_ns : float
    machine : Machine or None
        Cores, clock and instructions per cycle.
    submission : str or None
        What if: another submission rule.
    seed : int or None
        Same inputs and seed give the same result, bit for bit.
    bios : int
        Measured bios, after a warm-up.
    follow : int
        Bios whose visits are kept, for a picture.

    Returns
    -------
    CapacityResult

    Raises
    ------
    BlockstackError
        A kind or operation that the kernel lacks, a workload that does not fit the stack, a load
        that cannot be.

    Examples
    --------
    >>> import blockstack as bs
    >>> case = bs.load("configs/nvme-lvm-luks.toml")
    >>> found = bs.capacity(case.stack, case.workload, kernel=case.kernel, iodepth=4, bios=2000)
    >>> found.iops < found.next_ceiling_iops
    True
    """
    check_load(iodepth, rate_iops, thinktime_ns, bios)
    model = prepare(
        stack,
        workload,
        kernel=kernel,
        machine=machine,
        numjobs=numjobs,
        submission=submission,
        seed=seed,
        iodepth=iodepth,
    )
    mode = "closed" if rate_iops is None else "open"
    return model.run(
        LoadSpec(mode, iodepth, numjobs, rate_iops, thinktime_ns), bios=bios, follow=follow
    )


def check_load(iodepth: int, rate_iops: float | None, thinktime_ns: float, bios: int) -> None:
    """Refuse figures that no load can have.

    Raises
    ------
    ConfigError
    """
    for name, value, most in (("iodepth", iodepth, 65536), ("bios", bios, 10**10)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise ConfigError(f"must be a whole number from 1 to {most}", path=name, value=value)
    if rate_iops is not None and not 1e-3 <= rate_iops <= 1e9:
        raise ConfigError("must be a rate above 0 per second", path="rate_iops", value=rate_iops)
    if not 0 <= thinktime_ns <= 1e13:
        raise ConfigError("must be a time", path="thinktime", value=thinktime_ns)
