"""fio job files: sections to workloads and loads, in fio's own units.

What follows fio 3.3x: ``strip_blank_end()`` cuts a line at ``;`` or ``#``; a ``[global]`` holds for
the sections below it; ``__get_mult_bytes()`` (parse.c) takes ``4k`` and ``4kb`` for 4,096 bytes
and, with the default kb_base=1024, ``4KiB`` for 4,000; ``get_mult_time()`` takes m for minutes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.base.hints import did_you_mean
from blockstack.loads.fio_options import (
    ALIASES,
    FOLLOWED,
    NO_INFLUENCE,
    NOT_FOLLOWED,
    QUEUED_ENGINES,
    SYNC_ENGINES,
)
from blockstack.workload import Workload
from blockstack.workload.model import RW_WORDS

_MOST_BYTES = 1 << 20
_NUMBER = re.compile(r"(0x[0-9a-f]+|[0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([a-z%]*)\Z")
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_TIME_US = {
    "us": 1,
    "usec": 1,
    "ms": 1000,
    "msec": 1000,
    "s": 10**6,
    "m": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
}
_DIRECTION = {"r": 0, "w": 1, "d": 2}


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
    for name, options in _sections(text):
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


_Options = dict[str, tuple[str, str]]  # option -> value, place


def _sections(text: str) -> list[tuple[str, _Options]]:
    shared: _Options = {}
    found: list[tuple[str, _Options]] = []
    here: _Options | None = None
    for number, raw in enumerate(text.split("\n"), 1):
        line = re.split("[;#]", raw, maxsplit=1)[0].strip()
        place = f"line {number}"
        if not line:
            continue
        if line.startswith("["):
            if not line.endswith("]") or len(line) < 3:
                raise ConfigError("not a section", path=place, value=line, hint="write [name]")
            name = line[1:-1]
            here = shared if name == "global" else dict(shared)
            if name != "global":
                found.append((name, here))
            continue
        if here is None:
            raise ConfigError(
                "stands before the first section",
                path=place,
                value=line,
                hint="write [global] or [name] above it",
            )
        key, equals, value = (part.strip() for part in line.partition("="))
        key = ALIASES.get(key, key)
        _check_known(key, line, place)
        if "$" in value and key in FOLLOWED:
            raise ConfigError(
                "variables are not replaced",
                path=f"{place}: {key}",
                value=value,
                hint="write the value",
            )
        here.pop(key, None)  # the last one counts, also its order (rwmixread, rwmixwrite)
        here[key] = (value if equals else "1", f"{place}: {key}")
    return found


def _check_known(key: str, line: str, place: str) -> None:
    if key in NOT_FOLLOWED:
        raise ConfigError(
            f"is not followed: {NOT_FOLLOWED[key]}",
            path=f"{place}: {key}",
            hint="leave it out to model the job without it",
        )
    if key not in FOLLOWED and key not in NO_INFLUENCE:
        raise ConfigError(
            "unknown option",
            path=place,
            value=line,
            hint=did_you_mean(key, [*FOLLOWED, *NO_INFLUENCE, *NOT_FOLLOWED], "options"),
        )


def parse_bytes(text: str, path: str) -> int:
    """fio's sizes: ``4k``, ``4kb`` and ``4K`` are 4,096 bytes, ``4KiB`` is 4,000."""
    number, unit = _split(text, path)
    plain = unit.removesuffix("b") if unit != "b" else ""
    base = 1000 if plain.endswith("i") else 1024
    plain = plain.removesuffix("i")
    if plain not in _POWER or (unit.endswith("i") and plain):
        raise ConfigError("not a size", path=path, value=text, hint='write "4k" or "1m"')
    exact = number * base ** _POWER[plain]
    if exact != int(exact) or exact >= 2**63:
        raise ConfigError("not a whole number of bytes", path=path, value=text)
    return int(exact)


def parse_time_us(text: str, path: str) -> int:
    """fio's times, of which a plain number is microseconds here."""
    number, unit = _split(text, path)
    if unit and unit not in _TIME_US:
        raise ConfigError("not a time", path=path, value=text, hint='write "100us" or "2ms"')
    exact = number * (_TIME_US[unit] if unit else 1)
    if exact != int(exact) or exact >= 2**53:
        raise ConfigError("not a whole number of microseconds", path=path, value=text)
    return int(exact)


def _split(text: str, path: str) -> tuple[Decimal, str]:
    match = _NUMBER.match(text.strip().lower())
    if match is None:
        raise ConfigError("not a number", path=path, value=text)
    return Decimal(int(match[1], 16) if match[1].startswith("0x") else match[1]), match[2]


class _Section:
    """Typed access to one section's options, with their places in errors."""

    def __init__(self, options: Mapping[str, tuple[str, str]]) -> None:
        self.options = options
        self.rw = self.word("rw", "read")
        if self.rw not in RW_WORDS:
            raise ConfigError(
                "unknown word",
                path=self.place("rw"),
                value=self.rw,
                hint=did_you_mean(self.rw, RW_WORDS, "words"),
            )

    def place(self, key: str) -> str:
        return self.options[key][1] if key in self.options else key

    def word(self, key: str, default: str = "") -> str:
        return self.options[key][0] if key in self.options else default

    def whole(self, key: str, default: int) -> int:
        return parse_bytes(self.word(key), self.place(key)) if key in self.options else default

    def flag(self, key: str, default: bool) -> bool:
        value = self.word(key, str(int(default))).lower()
        if value not in ("0", "1", "true", "false"):
            raise ConfigError("must be 0 or 1", path=self.place(key), value=value)
        return value in ("1", "true")

    def directed(self, key: str) -> str:
        """One value out of ``reads,writes,trims``: that of the directions which the job has."""
        parts = [part.strip() for part in self.word(key).split(",")]
        # fio's parse: what is left out is as the one before it
        full = [parts[min(i, len(parts) - 1)] or parts[0] for i in range(3)]
        wanted = {full[_DIRECTION[d]] for d in RW_WORDS[self.rw]}
        if len(wanted) != 1 or len(parts) > 3:
            raise ConfigError(
                "differs for reads and writes",
                path=self.place(key),
                value=self.word(key),
                hint="one value for both is followed",
            )
        return wanted.pop()

    def extent(self, key: str) -> int | None:
        """A size or an offset in bytes; None: all of the device."""
        value = self.word(key)
        if value.endswith("%"):
            if key == "size" and value == "100%":
                return None
            raise ConfigError(
                "a share of a file is not followed",
                path=self.place(key),
                value=value,
                hint="write bytes",
            )
        return parse_bytes(value, self.place(key)) or None

    def pair(self, low_high: str, key: str) -> str:
        low, dash, high = low_high.partition("-")
        if not dash:
            raise ConfigError(
                "not a range", path=self.place(key), value=low_high, hint='write "4k-64k"'
            )
        return f"{parse_bytes(low, self.place(key))}-{parse_bytes(high, self.place(key))}"

    def split(self) -> str:
        parts = []
        for entry in self.directed("bssplit").split(":"):
            size, slash, share = entry.partition("/")
            parts.append(f"{parse_bytes(size, self.place('bssplit'))}{slash}{share.rstrip('%')}")
        return ":".join(parts)


def _turn(job: _Section, before: Sequence[FioJob]) -> tuple[int, int, int]:
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


def _job(name: str, options: _Options, before: Sequence[FioJob]) -> FioJob:
    job = _Section(options)
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


def _words(job: _Section) -> dict[str, object]:
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


def _rate(job: _Section) -> float | None:
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


def _iodepth(job: _Section, workload: Workload, notes: list[str]) -> int:
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
