"""``capacity``: how fast, how long, and where it stops."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from blockstack.base import hdr
from blockstack.base.errors import ConfigError
from blockstack.base.files import write_text
from blockstack.base.units import parse_bytes, parse_count, parse_ns
from blockstack.cli.against import against
from blockstack.cli.application import app
from blockstack.cli.boundary import FITS, OVERFLOWS
from blockstack.cli.common import (
    ConfigArg,
    JsonOpt,
    KernelOpt,
    MemoryOpt,
    SetOpt,
    SubmissionOpt,
    bad_input,
    memory_limit,
    open_case,
)
from blockstack.cli.loads import MapOpt, TraceOpt
from blockstack.cli.terminal import printer, say
from blockstack.cli.traces import FromOpt, SkipBadOpt
from blockstack.cli.waves import Load, LoadOptions, Ran, run_waves
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.present.export.fio_json import FioEntry, fio_jobs
from blockstack.present.export.latencies import save_latencies
from blockstack.present.export.perfetto import perfetto_events
from blockstack.present.tables import capacity as tables

#: bios whose journeys a Perfetto file shows
_FOLLOWED = 16


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
    compared: Annotated[
        Path | None,
        typer.Option(
            "--against", help="fio's JSON of this stack: what it measured beside what is predicted."
        ),
    ] = None,
    memory: MemoryOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """IOPS, bandwidth, latency percentiles, utilisation, the bottleneck and the next one.

    `--json` has the shape of fio's json+, with a `blockstack` section beside.
    """
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, None, changes=what_if or ())
        if compared is not None:
            count = 20_000 if bios is None else parse_count(bios)
            printer().print(against(case, chosen, compared, count))
            raise typer.Exit(FITS)
        options = LoadOptions(
            iodepth,
            numjobs,
            rate_iops,
            None if thinktime is None else parse_ns(thinktime, "--thinktime"),
            fio,
            section,
            trace,
            form,
            skip_bad,
            mapping or (),
            cpus,
            ghz,
            ipc,
            None if bios is None else parse_count(bios),
            seed,
            submission,
            knee,
            _FOLLOWED if perfetto else 0,
            memory_limit(memory),
        )
        if perfetto is not None and knee:
            raise ConfigError("follows one load", path="--perfetto", hint="leave --until-knee out")
        found = run_waves(case, chosen, options)
        _write(found, hdr_file, columns, perfetto)
    if as_json:
        print(json.dumps(_json(found), indent=1))
    else:
        _show(found, fio, cpu)
    raise typer.Exit(OVERFLOWS if any(one.result.saturated for one in found) else FITS)


def _write(
    found: list[Ran], hdr_file: Path | None, columns: Path | None, perfetto: Path | None
) -> None:
    """The files that hold one run."""
    if len(found) > 1 and (hdr_file or perfetto or columns):
        raise ConfigError(
            "is for one run", path="--hdr, --parquet, --perfetto", hint="--section NAME"
        )
    first = found[0]
    if hdr_file is not None:
        _save(hdr_file, _hdr_log(first.result))
    if perfetto is not None:
        _save(perfetto, json.dumps(perfetto_events(first.result)))
    if columns is not None:
        save_latencies(first.result, first.wave[0].name, str(columns))
        say(f"wrote {columns}")


def _hdr_log(result: CapacityResult) -> str:
    named = [(f"{stream.name}-{op.op}", op) for stream in result.streams for op in stream.ops] or [
        (op.op, op) for op in result.ops
    ]
    return hdr.log_text(
        [(tag, op.counts, int(op.total.max_ns)) for tag, op in named], result.seconds
    )


def _save(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", path=str(path)) from error
    say(f"wrote {path}")


def _json(found: list[Ran]) -> dict[str, Any]:
    """One document in fio's shape; of several waves, ``blockstack`` has one entry each."""
    entries: list[tuple[CapacityResult, FioEntry]] = []
    last: Load | None = None
    for ran in found:
        result = ran.result
        each = [stream.ops for stream in result.streams] or [result.ops]
        specs = [stream.load for stream in result.streams] or [result.load]
        for one, ops, load in zip(ran.wave, each, specs, strict=True):
            # fio's stat.c __show_run_stats: a job with group_reporting joins the one before it
            if one.grouped and last is not None and last.group == one.group:
                same, entry = entries[-1]
                entries[-1] = same, replace(entry, ops=entry.ops + ops)
            else:
                entries.append(
                    (result, FioEntry(one.name, one.group, _words(one, load), ops, load.iodepth))
                )
            last = one
    sweeps = [ran.sweep.to_dict() for ran in found if ran.sweep is not None]
    return fio_jobs([ran.result for ran in found], entries) | (
        {"sweep": sweeps[0] if len(sweeps) == 1 else sweeps} if sweeps else {}
    )


def _fio_word(value: Any) -> str:
    """fio writes flags as 0 and 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _fio_size(size: str | int) -> str:
    """``4k``, ``4k-1m``: fio's spelling of a block size."""
    low, _, high = str(size).partition("-")
    return "-".join(_fio_bytes(parse_bytes(one.strip())) for one in (low, high) if one)


def _fio_bytes(n_bytes: int) -> str:
    for power, unit in ((30, "g"), (20, "m"), (10, "k")):
        if n_bytes % (1 << power) == 0:
            return f"{n_bytes >> power}{unit}"
    return str(n_bytes)


def _words(one: Load, load: LoadSpec) -> dict[str, str]:
    """A load as fio's words."""
    words = (
        {}
        if load.mode == "trace"
        else {key: _fio_word(value) for key, value in one.case.workload.to_dict().items()}
    )
    if load.mode != "trace" and not one.case.workload.bssplit:
        words["bs"] = _fio_size(one.case.workload.bs)
    words |= {"iodepth": str(load.iodepth), "numjobs": str(load.numjobs)}
    if load.rate_iops is not None:
        words["rate_iops"] = f"{load.rate_iops:g}"
    return words


def _show(found: list[Ran], fio: Path | None, cpu: bool) -> None:
    out = printer()
    for ran in found:
        if fio is not None:
            names = " and ".join(f"[{one.name}]" for one in ran.wave)
            out.print(Text(f"{names} of {fio}", "bold"))
        for line in dict.fromkeys(line for one in ran.wave for line in one.notes):
            say(f"fio: {line}")
        if len(ran.wave) > 1:
            say("fio: jobs at once all run for the whole time that is measured")
        if ran.sweep is not None:
            out.print(tables.knee_table(ran.sweep))
            out.print(Text("At the knee:", "bold"))
        for part in tables.view(ran.result, cpu=cpu):
            out.print(part)
