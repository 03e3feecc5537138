"""`sweep`: one question over many cases."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.kernel import PROFILES, load_kernel
from blockstack.results.sweep import ERROR, Column, Sweep
from blockstack.scenario.config import Config, config_to_dict, load_config
from blockstack.sweeps.axes import Axis, parse_values, plain_key
from blockstack.sweeps.case import case_of
from blockstack.sweeps.measures import Row, measure_of
from blockstack.sweeps.space import Space, grid, sampled, zipped
from blockstack.sweeps.store import Store, code_digest, digest_of
from blockstack.sweeps.work import Done, Job, Spec, cores, dask_client, kernel_files, local, on_dask
from blockstack.version import __version__

#: of what is kept on disk; another number computes every point anew
_FORM = 1


def axis_column(axis: Axis) -> Column:
    """The type of an axis: that of its values, text where they differ."""
    kinds = {type(value) for value in axis.values}
    if kinds == {bool}:
        return Column(axis.column, "bool")
    if kinds == {int}:
        return Column(axis.column, "int64")
    if kinds <= {int, float}:
        return Column(axis.column, "float64")
    return Column(axis.column, "string")


def cell(value: Any, column: Column) -> Any:
    """A value as its column's type."""
    if value is None or column.kind != "string" or isinstance(value, str):
        return value
    return json.dumps(value)


class WorkerBug(RuntimeError):
    """A point raised what no point should: its traceback is the message."""


@dataclass(frozen=True)
class Plan:
    """A sweep before it runs.

    Attributes
    ----------
    space : Space
    spec : Spec
    columns : tuple of Column
    about : mapping
        For the result's metadata.
    """

    space: Space
    spec: Spec
    columns: tuple[Column, ...]
    about: Mapping[str, Any]
    _base: Mapping[str, Any] = field(repr=False)

    def digest(self, number: int) -> str:
        """What the point's row is kept under: all that it depends on."""
        settings = self.space.settings(number)
        try:
            case = case_of(self._base, settings, dict(self.spec.names))
            told: Any = [case.table, case.load]
        except BlockstackError:
            told = ["impossible", settings]
        kept = [self.spec.measures, self.spec.bios, self.spec.seed, self.spec.prices]
        files = [[name, digest_of(data.hex())] for name, data in self.spec.files]
        return digest_of([_FORM, code_digest(), told, kept, files])

    def row(self, number: int, found: Row, error: str) -> Row:
        """The result's row of a point."""
        settings = self.space.settings(number)
        whole = settings | found | {ERROR.name: error or None}
        return {one.name: cell(whole.get(one.name), one) for one in self.columns}


def plan_sweep(
    case: Config | Mapping[str, Any],
    space: Space,
    measures: Sequence[str] = ("depth",),
    *,
    bios: int = 20_000,
    seed: int | None = None,
    prices: Mapping[str, float] | None = None,
) -> Plan:
    """Check what can be checked before the first point, and load the kernels once.

    Raises
    ------
    BlockstackError
        No such measure, kernel or member.
    """
    base = config_to_dict(case) if isinstance(case, Config) else dict(case)
    questions = [measure_of(name) for name in measures]
    if not questions:
        raise ConfigError("no measure", path="--measure")
    kernels = _kernels(base, space)
    names = tuple((axis.key, axis.names) for axis in space.axes if axis.names)
    spec = Spec(
        json.dumps(base),
        names,
        tuple(measures),
        bios,
        seed,
        tuple(sorted((prices or {}).items())),
        kernel_files(kernels),
    )
    columns = (
        *(axis_column(axis) for axis in space.axes),
        *(column for one in questions for column in one.columns),
        ERROR,
    )
    about = {
        "version": __version__,
        "config": base,
        "axes": [axis.column for axis in space.axes],
        "columns": [[one.name, one.kind, one.better] for one in columns],
        "measures": list(measures),
        "bios": bios,
        "seed": seed,
        "prices": dict(spec.prices),
        "kernels": {name: load_kernel(name).table.digest for name in kernels},
    }
    return Plan(space, spec, columns, about, base)


def _kernels(base: Mapping[str, Any], space: Space) -> list[str]:
    """Kernels that the points name."""
    axis = next((one for one in space.axes if one.key == "kernel"), None)
    named = [base.get("kernel")] if axis is None else list(axis.values)
    for name in named:
        if name is not None and not isinstance(name, str):
            raise ConfigError("not a kernel's name", path="kernel", value=name)
    found = list(dict.fromkeys(name for name in named if name))
    for name in found:
        if name not in PROFILES and not Path(name).exists():
            load_kernel(name)  # says what is wrong with it
    return found


@dataclass
class Running:
    """Points under way: how many ended, failed, and were known before."""

    plan: Plan
    store: Store
    keep_going: bool = False
    ended: int = 0
    failed: int = 0
    known: int = 0
    _digests: dict[int, str] = field(default_factory=dict, repr=False)

    def jobs(self) -> Iterator[Job]:
        """Points that the store lacks; those that it has are counted."""
        for number in self.plan.space.by_case():
            digest = self.plan.digest(number)
            if self.store.finished(digest):
                self.known += 1
                continue
            self._digests[number] = digest
            yield Job(number, self.plan.space.settings(number))

    def take(self, done: Done) -> None:
        """Keep a point; a failed one ends the sweep unless it goes on.

        Raises
        ------
        ConfigError
            A point that cannot be, naming the axis and the value.
        WorkerBug
        """
        if done.bug and not self.keep_going:
            raise WorkerBug(done.bug)
        if done.error and not self.keep_going:
            raise ConfigError(
                f"a point that cannot be: {done.error}",
                path=done.axis or "sweep",
                hint="--keep-going makes it a row with the reason",
            )
        axis = f"{done.axis}: " if done.axis else ""
        error = axis + done.error if done.error else ""
        self.store.put(self._digests.pop(done.number), done.row, error)
        self.ended += 1
        self.failed += bool(error)

    def rows(self) -> Iterator[Row]:
        """Every point's row, in the order of the points."""
        for number in range(len(self.plan.space)):
            kept = self.store.get(self.plan.digest(number))
            if kept is None:  # pragma: no cover - another process emptied the file
                raise BlockstackError("lost a point", path="cache", value=number)
            yield self.plan.row(number, *kept)


def points(running: Running, *, workers: int = 0, client: Any = None) -> Iterator[Done]:
    """Run what is not known yet, here or on a cluster; each is kept before it is yielded."""
    jobs = running.jobs()
    spec = running.plan.spec
    found = local(spec, jobs, workers or cores()) if client is None else on_dask(spec, jobs, client)
    for done in found:
        running.take(done)
        yield done


def space_of(over: Mapping[str, Any] | Sequence[Axis] | Space, **how: Any) -> Space:
    """Axes as a space: every combination, unless ``how`` says otherwise.

    Parameters
    ----------
    over : mapping of key to values, sequence of Axis, or Space
    **how
        ``together=True``: zipped; ``sample=N``, ``sampler``, ``seed``: some of the points.
    """
    if isinstance(over, Space):
        return over
    axes = (
        [
            Axis(plain_key(key), tuple(parse_values(v, key) if isinstance(v, str) else v))
            for key, v in over.items()
        ]
        if isinstance(over, Mapping)
        else list(over)
    )
    if how.get("together"):
        return zipped(axes)
    if how.get("sample") is not None:
        return sampled(
            axes, how["sample"], sampler=how.get("sampler", "lhs"), seed=how.get("seed") or 0
        )
    return grid(axes)


def sweep(
    case: Config | str | Path | Mapping[str, Any],
    *,
    over: Mapping[str, Any] | Sequence[Axis] | Space,
    measure: str | Sequence[str] = "depth",
    together: bool = False,
    sample: int | None = None,
    sampler: str = "lhs",
    bios: int = 20_000,
    seed: int | None = None,
    prices: Mapping[str, float] | None = None,
    workers: int = 0,
    scheduler: Any = None,
    cache: str | Path | None = None,
    keep_going: bool = False,
    progress: Callable[[Running], None] | None = None,
) -> Sweep:
    """One question over many cases.

    Parameters
    ----------
    case : Config, path or mapping
        Where every point begins.
    over : mapping of key to values, sequence of Axis, or Space
        Any key of a config (``"devices.md0.chunk"``, ``"kernel"``, ``"submission"``,
        ``"workload.bs"``) or of the load (``"iodepth"``, ``"numjobs"``, ``"rate_iops"``).
        Values are a sequence, or a text as ``"1,2,4…256"``.
    measure : str or sequence of str
        ``"depth"`` (verdict and bytes), ``"capacity"`` (rate and latency), ``"cost"``,
        ``"layers:dm-linear"`` (how many fit).
    together : bool
        The axes go together, value by value, instead of every combination.
    sample : int or None
        So many of the combinations, by a Latin hypercube or at random.
    sampler : {"lhs", "random"}
    bios : int
        Measured bios of each capacity point.
    seed : int or None
        Of the sample and of the bios.
    prices : mapping of device or kind to number
        Of ``"cost"``: in any one currency.
    workers : int
        Processes; 0: as many as there are cores, 1: none but this one.
    scheduler : str, distributed.Client or None
        A Dask cluster instead.
    cache : path or None
        Where finished points are kept for the next sweep; None: nowhere.
    keep_going : bool
        A point that cannot be is a row with the reason instead of the end.
    progress : callable or None
        Called with the state after every point.

    Returns
    -------
    Sweep
        A row a point, the same whatever the number of workers.

    Raises
    ------
    BlockstackError
        An axis that names no key, a point that cannot be; the axis and value stand in front.

    Examples
    --------
    >>> import blockstack as bs
    >>> found = bs.sweep("crypt", over={"submission": ["recursive", "fifo"]}, workers=1)
    >>> len(found), found.axes
    (2, ('submission',))
    """
    start = load_config(case) if isinstance(case, str | Path) else case
    space = space_of(over, together=together, sample=sample, sampler=sampler, seed=seed)
    names = (measure,) if isinstance(measure, str) else tuple(measure)
    plan = plan_sweep(start, space, names, bios=bios, seed=seed, prices=prices)
    client = dask_client(scheduler) if isinstance(scheduler, str) else scheduler
    with tempfile.TemporaryDirectory() as folder, Store(cache or Path(folder) / "points") as store:
        running = Running(plan, store, keep_going)
        for _ in points(running, workers=workers, client=client):
            if progress is not None:
                progress(running)
        return collected(running)


def collected(running: Running) -> Sweep:
    """All rows in memory."""
    plan = running.plan
    data: dict[str, list[Any]] = {one.name: [] for one in plan.columns}
    for row in running.rows():
        for name, values in data.items():
            values.append(row[name])
    return Sweep(tuple(a.column for a in plan.space.axes), plan.columns, data, plan.about)
