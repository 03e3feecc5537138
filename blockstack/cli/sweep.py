"""``sweep``: one question over many cases, as rows."""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from blockstack.base.errors import ConfigError
from blockstack.base.units import parse_count
from blockstack.cli.application import app
from blockstack.cli.boundary import FITS, OVERFLOWS
from blockstack.cli.common import ConfigArg, JsonOpt, SetOpt, bad_input, open_case
from blockstack.cli.terminal import errors, printer, say
from blockstack.present.tables import sweep as tables
from blockstack.results.sweep import Sweep, save_rows
from blockstack.scenario.config import Config
from blockstack.sweeps import ask
from blockstack.sweeps.axes import parse_axis, parse_members, plain_key
from blockstack.sweeps.measures import Options
from blockstack.sweeps.run import Plan, Running, collected, plan_sweep, points, space_of
from blockstack.sweeps.space import Space, read_points
from blockstack.sweeps.store import Store
from blockstack.sweeps.work import Job, cores, dask_client, run_point

#: points after which the time left is worth a line; shorter sweeps are over before it is read
_TELL_POINTS, _TELL_SECONDS = 3, 2.0


@dataclass(frozen=True)
class Asked:
    """What is wanted of the points."""

    slo: Sequence[str]
    minimise: str | None
    maximise: str | None
    pareto: str | None
    matters: str | None

    def answer(self, found: Sweep) -> Sweep:
        """The points that are left once all is asked."""
        kept = ask.keeping(found, [ask.parse_promise(text) for text in self.slo])
        for column, least in ((self.minimise, True), (self.maximise, False)):
            if column is not None:
                kept = ask.best(kept, ask.column_named(column), least=least)
        if self.pareto is not None:
            kept = ask.pareto(kept, [ask.column_named(c) for c in self.pareto.split(",")])
        return kept

    @property
    def narrows(self) -> bool:
        """Some points may not be in the answer."""
        return bool(self.slo or self.minimise or self.maximise or self.pareto)


@dataclass(frozen=True)
class Way:
    """Where points run, and where they are kept."""

    workers: int
    scheduler: str | None
    cache: Path | None
    no_cache: bool
    keep_going: bool


@app.command(
    epilog="Example: `blockstack sweep configs/nvme-lvm-luks.toml --over iodepth=1,2,4…256 "
    "--measure capacity -o points.parquet`. "
    "Exit status: 0; 1 no point keeps the --slo; 2 bad input."
)
def sweep(
    config: ConfigArg,
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="KEY=VALUES",
            help="An axis: any key of the config or of the load, and its values: "
            "devices.md0.chunk='64 KiB,512 KiB', kernel=A,B, iodepth=1,2,4…256.",
        ),
    ] = None,
    members: Annotated[
        list[str] | None,
        typer.Option("--members", metavar="DEVICE=NAMES:COUNTS", help="md0=sda..sdx:4,8,12,24."),
    ] = None,
    table: Annotated[
        Path | None, typer.Option("--points", help="A CSV or Parquet table of points instead.")
    ] = None,
    together: Annotated[
        bool, typer.Option("--zip", help="Axes go together, value by value.")
    ] = False,
    sample: Annotated[int | None, typer.Option("--sample", help="So many of the points.")] = None,
    sampler: Annotated[str, typer.Option("--sampler", help="lhs or random.")] = "lhs",
    measure: Annotated[
        str, typer.Option("--measure", help="depth, capacity, cost, layers:KIND; commas between.")
    ] = "depth",
    what_if: SetOpt = None,
    bios: Annotated[str, typer.Option("--bios", help="Of each capacity point.")] = "20k",
    seed: Annotated[int | None, typer.Option("--seed")] = None,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", metavar="KIND=PRICE", help="Of a device or a kind, for `cost`."),
    ] = None,
    slo: Annotated[
        list[str] | None,
        typer.Option("--slo", metavar="CONDITION", help='Keep points with "p99<=2ms", "fits" ...'),
    ] = None,
    most: Annotated[
        str | None,
        typer.Option(
            "--most",
            metavar="KEY=LOW..HIGH",
            help="Instead of a grid: the greatest value that keeps the --slo, by bisection.",
        ),
    ] = None,
    minimise: Annotated[str | None, typer.Option("--minimise", metavar="COLUMN")] = None,
    maximise: Annotated[str | None, typer.Option("--maximise", metavar="COLUMN")] = None,
    front: Annotated[
        str | None, typer.Option("--pareto", metavar="COLUMNS", help="iops,usable_bytes,cost.")
    ] = None,
    matters: Annotated[
        str | None,
        typer.Option("--matters", metavar="COLUMN", help="Which axis its variance comes from."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A .parquet, .csv or .json file.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes.  [default: one a core]")
    ] = 0,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="A Dask scheduler: tcp://host:8786.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Where finished points are kept.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep them nowhere.")] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="A point that cannot be is a row with the reason.")
    ] = False,
    as_json: JsonOpt = False,
) -> None:
    """One question over many cases: verdicts, rates and costs as one tidy row a point.

    Finished points are kept: a sweep that was killed goes on, a new value computes only its own.
    """
    with bad_input(as_json, config):
        case, _ = open_case(config, None, None, changes=what_if or ())
        prices = dict(_price(text) for text in price or ())
        options = Options(parse_count(bios), seed, prices)
        names = tuple(part.strip() for part in measure.split(","))
        if most is not None:
            _show_most(_most(case, most, slo or (), names, options), as_json)
        space = _space(over, members, table, together, sample, sampler, seed)
        plan = plan_sweep(case, space, names, bios=options.bios, seed=seed, prices=options.prices)
        way = Way(workers, scheduler, cache, no_cache, keep_going)
        wanted = Asked(slo or (), minimise, maximise, front, matters)
        found = _run(plan, way, output)
        status = _show(found, wanted, output, as_json)
    raise typer.Exit(status)


def _price(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if equals and name:
            return name, float(value)
    except ValueError:
        pass
    raise ConfigError("not a price", path="--price", value=text, hint="--price nvme=200")


def _space(
    over: list[str] | None,
    members: list[str] | None,
    table: Path | None,
    together: bool,
    sample: int | None,
    sampler: str,
    seed: int | None,
) -> Space:
    if table is not None:
        if over or members or together or sample is not None:
            raise ConfigError("has the points already", path="--points", hint="leave --over out")
        return read_points(table)
    axes = [*map(parse_axis, over or ()), *map(parse_members, members or ())]
    return space_of(axes, together=together, sample=sample, sampler=sampler, seed=seed)


def default_cache() -> Path:
    """``points.sqlite`` in the user's cache folder (XDG base directories)."""
    folder = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(folder) / "blockstack" / "points.sqlite"


def _run(plan: Plan, way: Way, output: Path | None) -> Sweep:
    """All points, kept as they end; what an interrupt leaves, the next run finds."""
    client = None if way.scheduler is None else dask_client(way.scheduler)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "points" if way.no_cache else way.cache or default_cache()
        with Store(file) as store:
            running = Running(plan, store, way.keep_going)
            try:
                _follow(running, way, client)
            except KeyboardInterrupt:
                kept = "none is kept" if way.no_cache else "the same command goes on from there"
                say(f"{running.known + running.ended:,} of {len(plan.space):,} points; {kept}")
                raise
            if running.known:
                say(f"{running.known:,} of {len(plan.space):,} points were known", "dim")
            if output is not None:
                save_rows(str(output), plan.columns, running.rows(), plan.about)
                say(f"wrote {output}")
            return collected(running)


def _follow(running: Running, way: Way, client: Any) -> None:
    """Run the points, with a bar on a terminal and, before, how long it will take."""
    total = len(running.plan.space)
    start, told = time.monotonic(), False
    many = way.workers or cores()
    with _bar(total) as bar:
        for done in points(running, workers=way.workers, client=client):
            ended = running.known + running.ended
            bar(ended)
            spent = time.monotonic() - start
            if not told and running.ended >= _TELL_POINTS and spent < _TELL_SECONDS:
                told = True
                left = (total - ended) * done.seconds / (many if client is None else 1)
                if left > _TELL_SECONDS:
                    say(f"{total:,} points, {done.seconds:.2g} s each: about {left:,.0f} s", "dim")


@contextmanager
def _bar(total: int) -> "Iterator[Any]":
    console = errors()
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("points"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=total)
        yield lambda ended: shown.update(task, completed=ended)


def _show(found: Sweep, wanted: Asked, output: Path | None, as_json: bool) -> int:
    kept = wanted.answer(found)
    shares = () if wanted.matters is None else ask.matters(found, ask.column_named(wanted.matters))
    if as_json:
        more = {"matters": [vars(one) for one in shares]} if shares else {}
        print(json.dumps(kept.to_dict() | more, indent=1))
    else:
        out = printer()
        out.print(found.headline() + ".", markup=False)
        if wanted.narrows:
            out.print(f"{len(kept):,} of {len(found):,} points are left.", markup=False)
        if wanted.narrows or output is None:
            out.print(tables.points(kept))
        for one in shares:
            total = "" if one.total is None else f", {one.total:.0%} with what it does to others"
            out.print(f"{one.axis}: {one.first:.0%} of the variance{total}", markup=False)
    return OVERFLOWS if wanted.slo and not len(kept) else FITS


def _most(
    case: Config, text: str, slo: Sequence[str], names: Sequence[str], options: Options
) -> tuple[str, int | None, dict[str, Any]]:
    """The greatest value of one key that keeps the promises, and the row there."""
    key, _, span = text.partition("=")
    low, dots, high = span.partition("..")
    promises = [ask.parse_promise(one) for one in slo]
    if not dots or not low.strip().isdecimal() or not high.strip().isdecimal() or not promises:
        raise ConfigError(
            "needs a range and an --slo", path="--most", value=text, hint="iodepth=1..1024"
        )
    axis = plain_key(key.strip())
    plan = plan_sweep(
        case,
        space_of({axis: [int(low)]}),
        names,
        bios=options.bios,
        seed=options.seed,
        prices=options.prices,
    )
    rows: dict[int, dict[str, Any]] = {}

    def kept(value: int) -> bool:
        done = run_point(plan.spec, Job(0, {axis: value}))
        if done.error:
            raise ConfigError(f"a point that cannot be: {done.error}", path=f"{axis}={value}")
        rows[value] = done.row
        missing = [one.column for one in promises if one.column not in done.row]
        if missing:
            raise ConfigError(
                "is not measured", path="--slo", value=missing[0], hint="--measure capacity"
            )
        return all(one.kept(done.row[one.column]) for one in promises)

    value = ask.most_that_keeps(kept, int(low), int(high))
    return axis, value, rows.get(value, {}) if value is not None else {}


def _show_most(found: tuple[str, int | None, dict[str, Any]], as_json: bool) -> None:
    key, value, row = found
    if as_json:
        print(json.dumps({"key": key, "most": value, "row": row}, indent=1))
    elif value is None:
        printer().print(f"No {key} in the range keeps the promise.", markup=False)
    else:
        figures = ", ".join(f"{n} {v:,.4g}" for n, v in row.items() if type(v) in (int, float))
        printer().print(f"{key} {value:,} is the most that keeps it: {figures}", markup=False)
    raise typer.Exit(OVERFLOWS if value is None else FITS)
