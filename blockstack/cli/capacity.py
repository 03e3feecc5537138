"""``capacity``: how fast, how long, and where it stops."""

import json
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from blockstack.base import hdr
from blockstack.base.errors import ConfigError
from blockstack.base.units import parse_ns
from blockstack.cli.common import (
    FITS,
    OVERFLOWS,
    ConfigArg,
    JsonOpt,
    KernelOpt,
    SetOpt,
    SubmissionOpt,
    app,
    bad_input,
    open_case,
    parse_count,
    printer,
)
from blockstack.cli.loads import (
    TRACE_BIOS,
    MapOpt,
    Replay,
    TraceOpt,
    beyond_the_device,
    note,
    only_with_trace,
    open_replay,
)
from blockstack.cli.traces import FromOpt, SkipBadOpt
from blockstack.engine.capacity.knee import Knee, until_knee
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.run import DEFAULT_BIOS, Capacity, check_load, prepare
from blockstack.loads.fio_job import FioJob, read_jobs, waves
from blockstack.present.export.fio_json import FioEntry, fio_jobs
from blockstack.present.export.latencies import save_latencies
from blockstack.present.export.trace_events import trace_events
from blockstack.present.tables import capacity as tables
from blockstack.scenario.config import Config
from blockstack.stack.machine import Machine


@app.command(
    epilog="Example: `blockstack capacity configs/nvme-lvm-luks.toml --iodepth 32 "
    "--until-knee`. Exit status: 0; 1 when an open load is more than the stack "
    "takes; 2 bad input."
)
def capacity(
    config: ConfigArg,
    kernel: KernelOpt = None,
    submission: SubmissionOpt = None,
    what_if: SetOpt = None,
    iodepth: Annotated[
        int | None, typer.Option("--iodepth", help="Bios in flight per job.  [default: 1]")
    ] = None,
    numjobs: Annotated[
        int | None, typer.Option("--numjobs", help="Submitting tasks.  [default: 1]")
    ] = None,
    rate_iops: Annotated[
        float | None,
        typer.Option("--rate-iops", help="Open load: bios a second, whatever comes back."),
    ] = None,
    thinktime: Annotated[
        str | None, typer.Option("--thinktime", help='Pause of a job after each bio: "100 us".')
    ] = None,
    fio: Annotated[
        Path | None,
        typer.Option(
            "--fio", help="A fio job file: its workload and load instead of the config's."
        ),
    ] = None,
    section: Annotated[
        str | None,
        typer.Option("--section", help="Of the job file, alone; default: all, as fio does."),
    ] = None,
    trace: TraceOpt = None,
    form: FromOpt = None,
    skip_bad: SkipBadOpt = 0,
    mapping: MapOpt = None,
    cpus: Annotated[int | None, typer.Option("--cpus", help="Cores.")] = None,
    ghz: Annotated[float | None, typer.Option("--ghz", help="Their clock.")] = None,
    ipc: Annotated[float | None, typer.Option("--ipc", help="Instructions per cycle.")] = None,
    bios: Annotated[
        str | None,
        typer.Option("--bios", help="Measured bios: 200k ...  [default: 100k; of a trace 20k]"),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed")] = None,
    knee: Annotated[
        bool, typer.Option("--until-knee", help="Raise the load until more of it only waits.")
    ] = False,
    cpu: Annotated[bool, typer.Option("--cpu", help="CPU time of each layer, too.")] = False,
    hdr_file: Annotated[
        Path | None, typer.Option("--hdr", help="Latencies as an HdrHistogram log.")
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option("--parquet", help="Latencies as a Parquet table (extra: parquet)."),
    ] = None,
    perfetto: Annotated[
        Path | None, typer.Option("--perfetto", help="A few bios' journeys, for ui.perfetto.dev.")
    ] = None,
    as_json: JsonOpt = False,
) -> None:
    """IOPS, bandwidth, latency percentiles, utilisation, the bottleneck and the next one.

    `--json` has the shape of fio's json+, with a `blockstack` section beside.
    """
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, None, changes=what_if or ())
        think_ns = None if thinktime is None else parse_ns(thinktime, "--thinktime")
        count = None if bios is None else parse_count(bios)
        if perfetto is not None and knee:
            raise ConfigError("follows one load", path="--perfetto", hint="leave --until-knee out")
        given = {"iodepth": iodepth, "rate_iops": rate_iops, "thinktime_ns": think_ns}
        loads = _waves(case, given, numjobs, fio, section)
        if trace is not None:
            _alone(given, fio, knee)
        elif skip_bad or form or mapping:
            raise only_with_trace()
        found = []
        for wave in loads:
            for one in wave:
                check_load(one.load.iodepth, one.load.rate_iops, one.load.thinktime_ns, count or 1)
            if knee and len(wave) > 1:
                raise ConfigError("follows one job", path="--until-knee", hint="--section NAME")
            replay = (
                None
                if trace is None
                else open_replay(case, trace, form, skip_bad, mapping or (), count or TRACE_BIOS)
            )
            with beyond_the_device(trace) if trace is not None else nullcontext():
                model = prepare(
                    case.stack,
                    [one.case.workload for one in wave] if replay is None else replay.workload,
                    kernel=chosen,
                    every=replay is not None,
                    machine=_machine(case, cpus, ghz, ipc),
                    numjobs=[one.load.numjobs for one in wave],
                    seed=seed,
                    submission=submission or case.overrides.submission,
                )
            found.append(
                _run(model, wave, replay, count or DEFAULT_BIOS, knee, 16 if perfetto else 0)
            )
        if len(found) > 1 and (hdr_file or perfetto or columns):
            raise ConfigError(
                "is for one run", path="--hdr, --parquet, --perfetto", hint="--section NAME"
            )
        _write(found[0][1], hdr_file, perfetto)
        if columns is not None:
            save_latencies(found[0][1], loads[0][0].name, str(columns))
            note(f"wrote {columns}")
    if as_json:
        print(json.dumps(_json(loads, found), indent=1))
    else:
        for wave, (sweep, result) in zip(loads, found, strict=True):
            if fio is not None:
                names = " and ".join(f"[{one.name}]" for one in wave)
                printer().print(Text(f"{names} of {fio}", "bold"))
            for line in dict.fromkeys(line for one in wave for line in one.notes):
                note(f"fio: {line}")
            if len(wave) > 1:
                note("fio: jobs at once all run for the whole time that is measured")
            _show(result, sweep, cpu)
    raise typer.Exit(OVERFLOWS if any(r.saturated for _, r in found) else FITS)


@dataclass(frozen=True)
class _Load:
    name: str
    case: Config
    load: LoadSpec
    notes: tuple[str, ...] = ()
    group: int = 0
    grouped: bool = False


def _waves(
    case: Config, given: dict[str, Any], numjobs: int | None, fio: Path | None, section: str | None
) -> list[list[_Load]]:
    """The command line's load, or those of a job file with what the command line replaces: what
    runs at once, one after the other."""
    if fio is None:
        if section is not None:
            raise ConfigError("belongs to a job file", path="--section", hint="give --fio FILE")
        return [[_Load(case.name or case.stack.name, case, _load(given, numjobs, {}))]]
    return [
        [_of_job(case, job, given, numjobs) for job in wave]
        for wave in waves(read_jobs(fio), section)
    ]


def _of_job(case: Config, job: FioJob, given: dict[str, Any], numjobs: int | None) -> _Load:
    rate = None if job.rate_iops is None else job.rate_iops * job.numjobs
    words = {
        "iodepth": job.iodepth,
        "numjobs": job.numjobs,
        "rate_iops": rate,
        "thinktime_ns": float(job.thinktime_ns),
        "mode": "closed" if rate is None else "open" if job.poisson else "paced",
    }
    return _Load(
        job.name,
        replace(case, workload=job.workload),
        _load(given, numjobs, words),
        (f"[{job.name}] is {job.workload.rw}", *job.notes),
        job.group,
        job.grouped,
    )


def _load(given: dict[str, Any], numjobs: int | None, words: dict[str, Any]) -> LoadSpec:
    base: dict[str, Any] = {
        "mode": "closed",
        "iodepth": 1,
        "numjobs": 1,
        "rate_iops": None,
        "thinktime_ns": 0.0,
    }
    replaced = {k: v for k, v in (given | {"numjobs": numjobs}).items() if v is not None}
    if "rate_iops" in replaced:
        replaced["mode"] = "open"
    return LoadSpec(**(base | words | replaced))


def _alone(given: dict[str, Any], fio: Path | None, knee: bool) -> None:
    """A trace brings its own load."""
    others = [
        f"--{k.removesuffix('_ns').replace('_', '-')}" for k, v in given.items() if v is not None
    ]
    others += ["--fio"] * (fio is not None) + ["--until-knee"] * knee
    if others:
        raise ConfigError(
            "brings its own load", path="--trace", hint=f"leave {', '.join(others)} out"
        )


def _run(
    model: Capacity, wave: list[_Load], replay: Replay | None, bios: int, knee: bool, trace: int
) -> tuple[Knee | None, CapacityResult]:
    if replay is not None:
        return None, model.replay(replay.times_ns, trace=trace)
    if knee:
        sweep = _sweep(model, wave[0].load, bios)
        return sweep, sweep.at_knee
    return None, model.run(
        [one.load for one in wave], names=[one.name for one in wave], bios=bios, trace=trace
    )


def _machine(case: Config, cpus: int | None, ghz: float | None, ipc: float | None) -> Machine:
    given: dict[str, Any] = {"cpus": cpus, "ghz": ghz, "ipc": ipc}
    try:
        return replace(case.machine, **{k: v for k, v in given.items() if v is not None})
    except ConfigError as error:
        raise ConfigError(error.message, path=f"--{error.path}", value=error.value) from error


def _sweep(model: Capacity, load: LoadSpec, bios: int) -> Knee:
    console = Console(stderr=True)
    with console.status("first load") as status:
        return until_knee(
            model, load, bios=bios, progress=lambda done: status.update(f"{done} loads done")
        )


def _write(result: CapacityResult, hdr_file: Path | None, perfetto: Path | None) -> None:
    if hdr_file is not None:
        named = [
            (f"{stream.name}-{op.op}", op) for stream in result.streams for op in stream.ops
        ] or [(op.op, op) for op in result.ops]
        _save(
            hdr_file,
            hdr.log_text(
                [(tag, op.counts, int(op.total.max_ns)) for tag, op in named], result.seconds
            ),
        )
    if perfetto is not None:
        _save(perfetto, json.dumps(trace_events(result)))


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", path=str(path)) from error
    Console(stderr=True).print(f"wrote {path}", highlight=False)


def _json(
    loads: list[list[_Load]], found: list[tuple[Knee | None, CapacityResult]]
) -> dict[str, Any]:
    """One document in fio's shape; of several waves, ``blockstack`` has one entry each."""
    entries: list[tuple[CapacityResult, FioEntry]] = []
    last: _Load | None = None
    for wave, (_, result) in zip(loads, found, strict=True):
        each = [stream.ops for stream in result.streams] or [result.ops]
        specs = [stream.load for stream in result.streams] or [result.load]
        for one, ops, load in zip(wave, each, specs, strict=True):
            # fio's stat.c __show_run_stats: a job with group_reporting joins the one before it
            if one.grouped and last is not None and last.group == one.group:
                same, entry = entries[-1]
                entries[-1] = same, replace(entry, ops=entry.ops + ops)
            else:
                entries.append(
                    (result, FioEntry(one.name, one.group, _words(one, load), ops, load.iodepth))
                )
            last = one
    sweeps = [sweep.to_dict() for sweep, _ in found if sweep is not None]
    return fio_jobs([result for _, result in found], entries) | (
        {"sweep": sweeps[0] if len(sweeps) == 1 else sweeps} if sweeps else {}
    )


def _words(one: _Load, load: LoadSpec) -> dict[str, str]:
    """A load as fio's words."""
    words = (
        {}
        if load.mode == "trace"
        else {key: str(value) for key, value in one.case.workload.to_dict().items()}
    )
    words |= {"iodepth": str(load.iodepth), "numjobs": str(load.numjobs)}
    if load.rate_iops is not None:
        words["rate_iops"] = f"{load.rate_iops:g}"
    return words


def _show(result: CapacityResult, sweep: Knee | None, cpu: bool) -> None:
    out = printer()
    if sweep is not None:
        out.print(tables.knee_table(sweep))
        out.print(Text("At the knee:", "bold"))
    for part in tables.view(result, cpu=cpu):
        out.print(part)
