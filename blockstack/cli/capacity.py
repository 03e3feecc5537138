"""``capacity``: how fast, how long, and where it stops."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from blockstack import hdr
from blockstack.cli.common import (
    FITS,
    OVERFLOWS,
    ConfigArg,
    JsonOpt,
    KernelOpt,
    SubmissionOpt,
    app,
    bad_input,
    open_case,
    parse_count,
    printer,
)
from blockstack.config import Config
from blockstack.engine.capacity.knee import Knee, until_knee
from blockstack.engine.capacity.result import CapacityResult, LoadSpec
from blockstack.engine.capacity.run import Capacity, check_load, prepare
from blockstack.errors import ConfigError
from blockstack.present import capacity as tables
from blockstack.present.fio_json import fio_json
from blockstack.present.trace_events import trace_events
from blockstack.stack.machine import Machine
from blockstack.units import parse_ns


@app.command(epilog="Example: `blockstack capacity configs/nvme-lvm-luks.toml --iodepth 32 "
                    "--until-knee`. Exit status: 0; 1 when an open load is more than the stack "
                    "takes; 2 bad input.")
def capacity(config: ConfigArg, kernel: KernelOpt = None, submission: SubmissionOpt = None,
             iodepth: Annotated[int, typer.Option(
                 "--iodepth", help="Bios in flight per job.")] = 1,
             numjobs: Annotated[int, typer.Option("--numjobs", help="Submitting tasks.")] = 1,
             rate_iops: Annotated[float | None, typer.Option(
                 "--rate-iops", help="Open load: bios a second, whatever comes back.")] = None,
             thinktime: Annotated[str | None, typer.Option(
                 "--thinktime", help='Pause of a job after each bio: "100 us".')] = None,
             cpus: Annotated[int | None, typer.Option("--cpus", help="Cores.")] = None,
             ghz: Annotated[float | None, typer.Option("--ghz", help="Their clock.")] = None,
             ipc: Annotated[float | None, typer.Option(
                 "--ipc", help="Instructions per cycle.")] = None,
             bios: Annotated[str, typer.Option("--bios", help="Measured bios: 100k ...")] = "100k",
             seed: Annotated[int | None, typer.Option("--seed")] = None,
             knee: Annotated[bool, typer.Option(
                 "--until-knee", help="Raise the load until more of it only waits.")] = False,
             cpu: Annotated[bool, typer.Option(
                 "--cpu", help="CPU time of each layer, too.")] = False,
             hdr_file: Annotated[Path | None, typer.Option(
                 "--hdr", help="Latencies as an HdrHistogram log.")] = None,
             perfetto: Annotated[Path | None, typer.Option(
                 "--perfetto", help="A few bios' journeys, for ui.perfetto.dev.")] = None,
             as_json: JsonOpt = False) -> None:
    """IOPS, bandwidth, latency percentiles, utilisation, the bottleneck and the next one.

    `--json` has the shape of fio's json+, with a `blockstack` section beside.
    """
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, None)
        think_ns = 0 if thinktime is None else parse_ns(thinktime, "--thinktime")
        count = parse_count(bios)
        if perfetto is not None and knee:
            raise ConfigError("follows one load", path="--perfetto", hint="leave --until-knee out")
        check_load(iodepth, rate_iops, think_ns, count)
        model = prepare(case.stack, case.workload, kernel=chosen,
                        machine=_machine(case, cpus, ghz, ipc), numjobs=numjobs, seed=seed,
                        submission=submission or case.overrides.submission)
        load = LoadSpec("closed" if rate_iops is None else "open", iodepth, numjobs, rate_iops,
                        think_ns)
        if knee:
            sweep = _sweep(model, load, count)
            result = sweep.at_knee
        else:
            sweep, result = None, model.run(load, bios=count, trace=16 if perfetto else 0)
        _write(result, hdr_file, perfetto)
    if as_json:
        print(json.dumps(_fio(case, result) | ({} if sweep is None else
                                               {"sweep": sweep.to_dict()}), indent=1))
    else:
        _show(case, result, sweep, cpu)
    raise typer.Exit(OVERFLOWS if result.saturated else FITS)


def _machine(case: Config, cpus: int | None, ghz: float | None, ipc: float | None) -> Machine:
    given: dict[str, Any] = {"cpus": cpus, "ghz": ghz, "ipc": ipc}
    try:
        return replace(case.machine, **{k: v for k, v in given.items() if v is not None})
    except ConfigError as error:
        raise ConfigError(error.message, path=f"--{error.path}", value=error.value) from error


def _sweep(model: Capacity, load: LoadSpec, bios: int) -> Knee:
    console = Console(stderr=True)
    with console.status("first load") as status:
        return until_knee(model, load, bios=bios,
                          progress=lambda done: status.update(f"{done} loads done"))


def _write(result: CapacityResult, hdr_file: Path | None, perfetto: Path | None) -> None:
    if hdr_file is not None:
        _save(hdr_file, hdr.log_text([(op.op, op.counts, int(op.total.max_ns))
                                      for op in result.ops], result.seconds))
    if perfetto is not None:
        _save(perfetto, json.dumps(trace_events(result)))


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", path=str(path)) from error
    Console(stderr=True).print(f"wrote {path}", highlight=False)


def _fio(case: Config, result: CapacityResult) -> dict[str, Any]:
    words = {key: str(value) for key, value in case.workload.to_dict().items()}
    load = result.load
    words |= {"iodepth": str(load.iodepth), "numjobs": str(load.numjobs)}
    if load.rate_iops is not None:
        words["rate_iops"] = f"{load.rate_iops:g}"
    return fio_json(result, jobname=case.name or case.stack.name, options=words)


def _show(case: Config, result: CapacityResult, sweep: Knee | None, cpu: bool) -> None:
    out = printer()
    if sweep is not None:
        out.print(tables.knee_table(sweep))
        out.print(Text("At the knee:", "bold"))
    for part in tables.view(result, cpu=cpu):
        out.print(part)
