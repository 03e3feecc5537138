"""fio jobs: each section of a job file to a workload and a load."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.loads.fio_options import NO_INFLUENCE, QUEUED_ENGINES, SYNC_ENGINES
from blockstack.loads.fio_sections import (
    Options,
    Section,
    parse_bytes,
    parse_time_us,
    sections,
)
from blockstack.workload import Workload
from blockstack.workload.words import RW_WORDS

_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class FioJob:
    """One job section.

    Attributes
    ----------
    name : str
    workload : Workload
    iodepth, numjobs : int
    rate_iops : float or None
        Of one job, in equal gaps, or at random when ``poisson``.
    poisson : bool
    thinktime_ns : int
    wave, floor : int
        Jobs of one wave run at once; it starts when the one before has ended (stonewall, wait_for).
        ``floor``: the wave of the last stonewall.
    group : int
        fio's reporting group, which stonewall and new_group end.
    grouped : bool
        Reported together with the jobs of its group (group_reporting).
    notes : tuple of str
        What was taken otherwise than fio would, and options without influence here.
    """

    name: str
    workload: Workload
    iodepth: int
    numjobs: int
    rate_iops: float | None
    poisson: bool
    thinktime_ns: int
    wave: int
    floor: int
    group: int
    grouped: bool
    notes: tuple[str, ...]


def read_jobs(path: str | Path) -> list[FioJob]:
    """The jobs of a file.

    Raises
    ------
    ConfigError
        Unreadable; an option that is unknown or that the model does not follow, by its line.
    """
    try:
        with Path(path).open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", path=str(path)) from error
    if len(raw) > _MOST_BYTES:
        raise ConfigError("is too large for a job file", path=str(path))
    try:
        return parse_jobs(text)
    except BlockstackError as error:
        raise error.under(str(path)) from error


def parse_jobs(text: str) -> list[FioJob]:
    """The jobs of a file's text; see `read_jobs`."""
    jobs: list[FioJob] = []
    for name, options in sections(text):
        jobs.append(_job(name, options, jobs))
    if not jobs:
        raise ConfigError("has no job section", path="fio", hint="[name] begins one")
    return jobs


def waves(jobs: Sequence[FioJob], section: str | None) -> list[list[FioJob]]:
    """The jobs that run at once, wave after wave; or the one of that name, alone.

    Raises
    ------
    ConfigError
        No such section.
    """
    names = [job.name for job in jobs]
    if section is not None:
        if section not in names:
            raise ConfigError(
                "no such section",
                path="--section",
                value=section,
                hint=did_you_mean(section, names, "sections"),
            )
        return [[job for job in jobs if job.name == section][:1]]
    return [
        list(one)
        for _, one in groupby(sorted(jobs, key=lambda job: job.wave), key=lambda job: job.wave)
    ]


def _turn(job: Section, before: Sequence[FioJob]) -> tuple[int, int, int]:
    """Wave, floor and reporting group (fio's add_job: stonewall and new_group begin one)."""
    stonewall = job.flag("stonewall", False)
    if not before:
        if "wait_for" in job.options:
            raise ConfigError(
                "names no job above", path=job.place("wait_for"), value=job.word("wait_for")
            )
        return 0, 0, 0
    group = before[-1].group + (stonewall or job.flag("new_group", False))
    last = max(one.wave for one in before)
    if stonewall:
        return last + 1, last + 1, group
    wave = floor = before[-1].floor
    if "wait_for" in job.options:
        named = [one.wave for one in before if one.name == job.word("wait_for")]
        if not named:
            raise ConfigError(
                "names no job above",
                path=job.place("wait_for"),
                value=job.word("wait_for"),
                hint=did_you_mean(job.word("wait_for"), [x.name for x in before], "jobs"),
            )
        wave = max(wave, named[-1] + 1)
    return wave, floor, group


def _job(name: str, options: Options, before: Sequence[FioJob]) -> FioJob:
    job = Section(options)
    notes: list[str] = []
    numjobs = job.whole("numjobs", 1)
    rate = _rate(job)
    wave, floor, group = _turn(job, before)
    try:
        workload = Workload(**_words(job))  # type: ignore[arg-type]
    except BlockstackError as error:
        if error.path.startswith("line"):
            raise
        raise ConfigError(
            error.message,
            path=f"[{name}] {job.place(error.path)}",
            value=error.value,
            hint=error.hint,
        ) from error
    if numjobs > 1 and not workload.is_random:
        notes.append("the jobs share one sequential stream; fio's each have their own")
    iodepth = _iodepth(job, workload, notes)
    if rate is not None:
        notes.append("rate_iops: bios come at this rate whatever comes back; fio stops at iodepth")
    idle: dict[str, list[str]] = {}
    for key in options:
        if key in NO_INFLUENCE:
            idle.setdefault(NO_INFLUENCE[key], []).append(key)
    notes += [f"no influence here: {', '.join(keys)} ({why})" for why, keys in idle.items()]
    return FioJob(
        name,
        workload,
        iodepth,
        numjobs,
        rate,
        job.word("rate_process", "linear") == "poisson",
        1000 * parse_time_us(job.word("thinktime", "0"), job.place("thinktime")),
        wave,
        floor,
        group,
        job.flag("group_reporting", False),
        tuple(notes),
    )


def _words(job: Section) -> dict[str, object]:
    """The arguments of a Workload."""
    given = job.options
    words: dict[str, object] = {"rw": job.rw}
    sizes = [key for key in ("bs", "bsrange", "bssplit") if key in given]
    if "bssplit" in sizes:  # as in fio, where it takes the place of the others
        words["bssplit"] = job.split()
    elif sizes:
        # as in fio, the later of the two
        key = [k for k in given if k in ("bs", "bsrange")][-1]
        words["bs"] = (
            job.pair(job.directed(key), key)
            if key == "bsrange"
            else parse_bytes(job.directed(key), job.place(key))
        )
    for key in given:
        if key in ("rwmixread", "rwmixwrite"):
            share = job.whole(key, 50)
            words["rwmixread"] = share if key == "rwmixread" else 100 - share
    words["direct"] = job.flag("direct", False)
    if "buffered" in given and "direct" not in given:
        words["direct"] = not job.flag("buffered", True)
    syncs = [job.whole(key, 0) for key in ("fsync", "fdatasync") if job.whole(key, 0)]
    if len(syncs) > 1:
        raise ConfigError(
            "fsync and fdatasync together are not followed",
            path=job.place("fdatasync"),
            hint="leave one out",
        )
    words["fsync"] = syncs[0] if syncs else 0
    for key in ("offset", "size"):
        if key in given and (extent := job.extent(key)) is not None:
            words[key] = extent
    if "random_distribution" in given:
        words["random_distribution"] = job.word("random_distribution")
    if "randseed" in given:
        words["seed"] = job.whole("randseed", 0)
    return words


def _rate(job: Section) -> float | None:
    if "rate_iops" not in job.options:
        return None
    process = job.word("rate_process", "linear")
    if process not in ("linear", "poisson"):
        raise ConfigError(
            "unknown process",
            path=job.place("rate_process"),
            value=process,
            hint="linear or poisson",
        )
    if len(RW_WORDS[job.rw]) > 1:
        raise ConfigError(
            "limits each direction on its own in fio, which shifts the mix",
            path=job.place("rate_iops"),
            value=job.word("rate_iops"),
            hint="leave it out, and say --rate-iops for all bios together",
        )
    rate = parse_bytes(job.directed("rate_iops"), job.place("rate_iops"))
    return float(rate) if rate else None


def _iodepth(job: Section, workload: Workload, notes: list[str]) -> int:
    """Bios in flight per job. fio's default engine, psync, has one."""
    depth = job.whole("iodepth", 1)
    engine = job.word("ioengine", "psync")
    if engine in SYNC_ENGINES:
        if depth > 1:
            notes.append(
                f"iodepth {depth} is 1: ioengine {engine} waits for every bio"
                + ("" if "ioengine" in job.options else " (fio's default)")
            )
        return 1
    if engine not in QUEUED_ENGINES:
        raise ConfigError(
            "is no engine of the kernel's block layer",
            path=job.place("ioengine"),
            value=engine,
            hint="followed: " + ", ".join(sorted((*SYNC_ENGINES, *QUEUED_ENGINES))),
        )
    if depth > 1 and not workload.direct:
        notes.append(f"iodepth {depth} with direct=0: the kernel may queue less")
    return depth
