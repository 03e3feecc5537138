"""What ``capacity`` runs: options as a record; the loads of a config or a job file, in waves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.cli.loads import (
    TRACE_BIOS,
    beyond_the_device,
    only_with_trace,
    open_replay,
)
from blockstack.cli.terminal import errors
from blockstack.engine.capacity.knee import Knee, until_knee
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.run import DEFAULT_BIOS, Capacity, check_load, prepare
from blockstack.kernel import Kernel
from blockstack.loads.fio_job import FioJob, read_jobs, waves
from blockstack.scenario.config import Config
from blockstack.stack.machine import Machine
from blockstack.workload import Workload


@dataclass(frozen=True)
class Load:
    name: str
    case: Config
    load: LoadSpec
    notes: tuple[str, ...] = ()
    group: int = 0
    grouped: bool = False


@dataclass(frozen=True)
class LoadOptions:
    """The options of ``capacity`` that say what runs.

    Attributes
    ----------
    iodepth, numjobs, rate_iops, thinktime_ns : number or None
        Replace those of the config or of the job file; None: as they are there.
    fio : Path or None
        A job file; ``section`` of it alone.
    trace : Path or None
        A block trace, read as ``form``, with ``skip_bad`` malformed rows passed over, its devices
        at the roots of ``mapping`` (``"sda=md0"``).
    cpus, ghz, ipc : number or None
        Replace the config's machine.
    bios : int or None
        Measured bios of each load; of a trace the replayed ones.
    seed : int or None
    submission : str or None
    knee : bool
        Raise the load until more of it only waits.
    followed : int
        Bios whose visits are kept.
    memory_limit_bytes : int or None
        For what one bio becomes.
    """

    iodepth: int | None = None
    numjobs: int | None = None
    rate_iops: float | None = None
    thinktime_ns: float | None = None
    fio: Path | None = None
    section: str | None = None
    trace: Path | None = None
    form: str | None = None
    skip_bad: int = 0
    mapping: Sequence[str] = ()
    cpus: int | None = None
    ghz: float | None = None
    ipc: float | None = None
    bios: int | None = None
    seed: int | None = None
    submission: str | None = None
    knee: bool = False
    followed: int = 0
    memory_limit_bytes: int | None = None

    @property
    def given(self) -> dict[str, Any]:
        """What replaces a load's own words."""
        words = ("iodepth", "numjobs", "rate_iops", "thinktime_ns")
        return {w: getattr(self, w) for w in words if getattr(self, w) is not None}


@dataclass(frozen=True)
class Ran:
    """Loads that ran at once, and what was found; ``sweep`` where the load was raised."""

    wave: list[Load]
    result: CapacityResult
    sweep: Knee | None = None


def run_waves(case: Config, kernel: Kernel, options: LoadOptions) -> list[Ran]:
    """Run a case's load, or a job file's, wave after wave.

    Raises
    ------
    BlockstackError
        Options that do not go together, a load that cannot be, files that cannot be read.
    """
    loads = _waves(case, options)
    if options.trace is not None:
        _alone(options)
    elif options.skip_bad or options.form or options.mapping:
        raise only_with_trace()
    return [_run_wave(case, kernel, wave, options) for wave in loads]


def _run_wave(case: Config, kernel: Kernel, wave: list[Load], options: LoadOptions) -> Ran:
    for one in wave:
        load = one.load
        check_load(load.iodepth, load.rate_iops, load.thinktime_ns, options.bios or 1)
    if options.knee and len(wave) > 1:
        raise ConfigError("follows one job", path="--until-knee", hint="--section NAME")
    if options.trace is None:
        model = _prepared(case, kernel, wave, [one.case.workload for one in wave], options)
        return _run(model, wave, options)
    most = options.bios or TRACE_BIOS
    replay = open_replay(case, options.trace, options.form, options.skip_bad, options.mapping, most)
    with beyond_the_device(options.trace):
        model = _prepared(case, kernel, wave, replay.workload, options)
    return Ran(wave, model.replay(replay.times_ns, follow=options.followed))


def _prepared(
    case: Config,
    kernel: Kernel,
    wave: list[Load],
    workload: Workload | list[Workload],
    options: LoadOptions,
) -> Capacity:
    return prepare(
        case.stack,
        workload,
        kernel=kernel,
        every=options.trace is not None,
        iodepth=max(one.load.iodepth for one in wave),
        machine=_machine(case, options),
        numjobs=[one.load.numjobs for one in wave],
        seed=options.seed,
        memory_limit_bytes=options.memory_limit_bytes,
        submission=options.submission or case.overrides.submission,
    )


def _waves(case: Config, options: LoadOptions) -> list[list[Load]]:
    """The command line's load, or those of a job file with what the command line replaces: what
    runs at once, one after the other."""
    if options.fio is None:
        if options.section is not None:
            raise ConfigError("belongs to a job file", path="--section", hint="give --fio FILE")
        return [[Load(case.name or case.stack.name, case, _load(options, {}))]]
    return [
        [_of_job(case, job, options) for job in wave]
        for wave in waves(read_jobs(options.fio), options.section)
    ]


def _of_job(case: Config, job: FioJob, options: LoadOptions) -> Load:
    rate = None if job.rate_iops is None else job.rate_iops * job.numjobs
    words = {
        "iodepth": job.iodepth,
        "numjobs": job.numjobs,
        "rate_iops": rate,
        "thinktime_ns": float(job.thinktime_ns),
        "mode": "closed" if rate is None else "open" if job.poisson else "paced",
    }
    return Load(
        job.name,
        replace(case, workload=job.workload),
        _load(options, words),
        (f"[{job.name}] is {job.workload.rw}", *job.notes),
        job.group,
        job.grouped,
    )


def _load(options: LoadOptions, words: dict[str, Any]) -> LoadSpec:
    base: dict[str, Any] = {
        "mode": "closed",
        "iodepth": 1,
        "numjobs": 1,
        "rate_iops": None,
        "thinktime_ns": 0.0,
    }
    replaced = options.given
    if "rate_iops" in replaced:
        replaced["mode"] = "open"
    return LoadSpec(**(base | words | replaced))


def _alone(options: LoadOptions) -> None:
    """A trace brings its own load."""
    flags = {
        "--iodepth": options.iodepth is not None,
        "--rate-iops": options.rate_iops is not None,
        "--thinktime": options.thinktime_ns is not None,
        "--fio": options.fio is not None,
        "--until-knee": options.knee,
    }
    others = [flag for flag, given in flags.items() if given]
    if others:
        raise ConfigError(
            "brings its own load", path="--trace", hint=f"leave {', '.join(others)} out"
        )


def _run(model: Capacity, wave: list[Load], options: LoadOptions) -> Ran:
    bios = options.bios or DEFAULT_BIOS
    if options.knee:
        sweep = _sweep(model, wave[0].load, bios)
        return Ran(wave, sweep.at_knee, sweep)
    loads, names = [one.load for one in wave], [one.name for one in wave]
    return Ran(wave, model.run(loads, names=names, bios=bios, follow=options.followed))


def _machine(case: Config, options: LoadOptions) -> Machine:
    given: dict[str, Any] = {"cpus": options.cpus, "ghz": options.ghz, "ipc": options.ipc}
    try:
        return replace(case.machine, **{k: v for k, v in given.items() if v is not None})
    except ConfigError as error:
        raise ConfigError(error.message, path=f"--{error.path}", value=error.value) from error


def _sweep(model: Capacity, load: LoadSpec, bios: int) -> Knee:
    console = errors()
    with console.status("first load") as status:
        return until_knee(
            model, load, bios=bios, progress=lambda done: status.update(f"{done} loads done")
        )
