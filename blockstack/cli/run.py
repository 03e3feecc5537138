"""``run`` and ``explain``: the main job and its static answer."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from blockstack.base.errors import ConfigError, UnsupportedKind
from blockstack.base.units import parse_count
from blockstack.cli.application import app
from blockstack.cli.boundary import CANNOT_TELL, FITS, OVERFLOWS
from blockstack.cli.common import (
    STATUS,
    ConfigArg,
    JsonOpt,
    KernelOpt,
    MemoryOpt,
    SkipOpt,
    SubmissionOpt,
    ThreadOpt,
    bad_input,
    kernel_or_frames,
    memory_limit,
    open_case,
)
from blockstack.cli.loads import TRACE_BIOS, MapOpt, TraceOpt, only_with_trace, open_replay
from blockstack.cli.queue_limits import show_limits
from blockstack.cli.terminal import errors, printer
from blockstack.cli.traces import FromOpt, SkipBadOpt
from blockstack.engine.depth.explain import explain as explain_stack
from blockstack.engine.depth.explain import notes_of
from blockstack.engine.depth.simulate import simulate
from blockstack.engine.study.nesting import LayersThatFit
from blockstack.engine.study.nesting import max_layers as find_max_layers
from blockstack.kernel import PROFILES, RULES, Kernel, load_kernel
from blockstack.present.tables import depth as tables
from blockstack.results.result import SCHEMA_VERSION, Result
from blockstack.scenario.config import Config, parse_submission, parse_thread_size


@app.command(epilog="Example: `blockstack run configs/dm-md-iscsi.toml --bios 2M`")
def run(
    config: ConfigArg,
    bios: Annotated[
        str | None, typer.Option("--bios", help="How many bios per rule: 50M, 200k ...")
    ] = None,
    submission: SubmissionOpt = None,
    kernel: KernelOpt = None,
    thread_size: ThreadOpt = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same bios.")] = None,
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=256, help="Threads that share the bios.")
    ] = 1,
    irq_per_hop: Annotated[
        float | None,
        typer.Option(
            "--irq-per-hop",
            help="Chance that an interrupt strikes during one make_request "
            "(shared stacks only; assumed 0.01).",
        ),
    ] = None,
    trace: TraceOpt = None,
    form: FromOpt = None,
    skip_bad: SkipBadOpt = 0,
    mapping: MapOpt = None,
    skip: SkipOpt = None,
    memory: MemoryOpt = None,
    timing: Annotated[
        bool, typer.Option("--timing", help="With --json: how long each run took.")
    ] = False,
    as_json: JsonOpt = False,
) -> None:
    """Send bios down a stack under every submission rule: peak depth, verdict, throughput."""
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, thread_size, skip or ())
        only = submission or case.overrides.submission
        rules = RULES if only is None else (parse_submission(only, "--submission"),)
        count, most = None if bios is None else parse_count(bios), memory_limit(memory)
        if trace is not None:
            case = replace(
                case,
                workload=open_replay(
                    case, trace, form, skip_bad, mapping or (), count or TRACE_BIOS
                ).workload,
            )
            count = None
        elif skip_bad or form or mapping:
            raise only_with_trace()
        results = [
            _simulate(case, chosen, rule, count, seed, threads, irq_per_hop, most, i, len(rules))
            for i, rule in enumerate(rules)
        ]
    finish_run(case, chosen, results, str(config), as_json, timing=timing)


def finish_run(
    case: Config,
    chosen: Kernel,
    results: Sequence[Result],
    config: str,
    as_json: bool,
    *,
    timing: bool = False,
) -> None:
    """Show the runs, and end with the verdict's status."""
    judged = next((r for r in results if r.submission == chosen.rule), results[0])
    if as_json:
        print(
            json.dumps(
                {
                    "version": SCHEMA_VERSION,
                    "config": config,
                    "name": case.name or case.stack.name,
                    "kernel": chosen.name,
                    "own_submission": chosen.rule,
                    "judged": judged.submission,
                    "fits": judged.fits,
                    "overrides": list(chosen.overrides),
                    "notes": list(notes_of(case.stack, chosen)),
                    "runs": [r.to_dict(timing=timing) for r in results],
                },
                indent=1,
            )
        )
    else:
        _show_runs(case, chosen, results, judged)
    raise typer.Exit(STATUS[judged.fits])


def _simulate(
    case: Config,
    kernel: Kernel,
    rule: str,
    bios: int | None,
    seed: int | None,
    threads: int,
    irq_per_hop: float | None,
    memory_limit_bytes: int | None,
    turn: int,
    turns: int,
) -> Result:
    console = errors()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} bios"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(f"{rule} ({turn + 1} of {turns})", total=bios or case.workload.bios)
        return simulate(
            case.stack,
            case.workload,
            kernel=kernel,
            submission=rule,
            seed=seed,
            bios=bios,
            threads=threads,
            irq_per_hop=irq_per_hop,
            memory_limit_bytes=memory_limit_bytes,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _show_runs(case: Config, kernel: Kernel, results: Sequence[Result], judged: Result) -> None:
    out = printer()
    out.print(
        Text.assemble(
            (case.name or case.stack.name, "bold"),
            f" on {kernel.name}, thread size {kernel.platform.thread_size_bytes:,} bytes",
            f" ({'; '.join(kernel.overrides)})" if kernel.overrides else "",
        )
    )
    for table in tables.runs_tables(results, kernel.rule, out.width):
        out.print(table)
    out.print(Text(f"* the kernel's own rule; verdict by {judged.submission}", "dim"))
    out.print(Text(f"\nTasks under {judged.submission}", "bold"))
    for table in tables.tasks_tables(judged.tasks, out.width):
        out.print(table)
    for line in tables.why_lines(judged.tasks):
        out.print(line)
    irq = judged.interrupts
    if irq is not None:
        out.print(
            Text(
                f"  interrupts on this stack: {irq.strikes:,} struck, {irq.overflows:,} passed the "
                f"limit, deepest {irq.peak_bytes:,} bytes ({irq.per_hop:g} per hop, assumed)",
                "yellow",
            )
        )
    out.print(Text(f"\nDeepest path: {judged.worst.task} ({judged.worst.context})", "bold"))
    out.print(tables.path_table(judged.deepest_path))
    made = kernel.provenance()
    out.print(
        Text(f"\nFrames: {made['kernel']}, {made['compiler']} (table {made['table']})", "dim")
    )
    for note in notes_of(case.stack, kernel):
        out.print(Text(f"Note: {note}", "dim"))


OopsOpt = Annotated[
    Path | None,
    typer.Option(
        "--oops",
        metavar="FILE",
        help="A kernel's report of a stack: an oops, ftrace's stack_trace, a do_IRQ report, "
        "a checkstack or .su list, as pasted from a log or a mail; - for standard input.",
    ),
]


@app.command(
    epilog="Examples: `blockstack explain configs/dm-md-iscsi.toml --max-layers "
    "dm-linear`, `blockstack explain --oops oops.txt --thread-size '4 KiB'`"
)
def explain(
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG",
            help="A TOML file (see configs/), or a host, as for `run`. Not with --oops.",
        ),
    ] = None,
    kernel: KernelOpt = None,
    submission: SubmissionOpt = None,
    thread_size: ThreadOpt = None,
    oops: OopsOpt = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", hidden=True, help="What --oops was called.")
    ] = None,
    max_layers: Annotated[
        str | None,
        typer.Option("--max-layers", metavar="KIND", help="How many nested layers of KIND fit?"),
    ] = None,
    skip: SkipOpt = None,
    limits: Annotated[
        bool, typer.Option("--limits", help="Each device's queue limits, and who imposed them.")
    ] = False,
    bs: Annotated[
        str | None,
        typer.Option("--bs", metavar="SIZE", help="With --limits: where a bio is split."),
    ] = None,
    offset: Annotated[
        int | None,
        typer.Option("--offset", metavar="SECTORS", min=0, help="With --bs: where it begins."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Every task's path; every limit and piece.")
    ] = False,
    as_json: JsonOpt = False,
) -> None:
    """The deepest path of every task, frame by frame, without simulating; or an oops explained."""
    file = oops if oops is not None else trace
    if file is not None:
        _explain_oopses(config, file, kernel, thread_size, as_json)
    with bad_input(as_json, config):
        if config is None:
            raise ConfigError(
                "say what to explain", path="explain", hint="give a config, or --oops FILE"
            )
        case, chosen = open_case(config, kernel, thread_size, skip or ())
        rule = submission or case.overrides.submission
        if limits or bs is not None or offset is not None:
            if max_layers is not None:
                raise ConfigError(
                    "does not go with --max-layers", path="--limits", hint="ask one after the other"
                )
            show_limits(
                case,
                chosen.override(submission=rule),
                bs,
                offset,
                whole=whole,
                as_json=as_json,
                config=config,
                limits=limits,
            )
            return
        if max_layers is not None:
            kernels = [chosen] if kernel or thread_size else _others(chosen)
            rows = _show_layers(case, kernels, max_layers, rule, as_json)
            status = _layers_status(rows, chosen, rule or chosen.rule)
            raise typer.Exit(CANNOT_TELL if chosen.doubt else status)
        found = explain_stack(case.stack, kernel=chosen, submission=rule, workload=case.workload)
    if as_json:
        print(json.dumps({"config": str(config)} | found.to_dict(), indent=1))
    else:
        out = printer()
        out.print(tables.explanation_view(found, whole, out.width))
    raise typer.Exit(STATUS[found.fits])


def _explain_oopses(
    config: Path | None, file: Path, kernel: str | None, thread_size: str | None, as_json: bool
) -> NoReturn:
    """Every oops of a text: whose frames they are, what they cost, what would fit."""
    from blockstack.oops.explain import explain_oops
    from blockstack.oops.read import load_oopses
    from blockstack.present.tables.oops import oops_view

    with bad_input(as_json):
        if config is not None:
            raise ConfigError(
                "explains a config or an oops, not both",
                path="explain",
                value=str(config),
                hint="leave one out",
            )
        size = parse_thread_size(thread_size, "--thread-size") if thread_size else None
        frames = None if kernel is None else kernel_or_frames(kernel)
        found = [
            explain_oops(one, kernel=frames, thread_size_bytes=size) for one in load_oopses(file)
        ]
    if as_json:
        print(json.dumps({"trace": str(file), "traces": [f.to_dict() for f in found]}, indent=1))
    else:
        out = printer()
        for one in found:
            out.print(oops_view(one))
    answers = [f.fits for f in found if f.form != "frames"]
    raise typer.Exit(
        OVERFLOWS if False in answers else FITS if answers and None not in answers else CANNOT_TELL
    )


def _layers_status(found: Sequence[LayersThatFit], kernel: Kernel, rule: str) -> int:
    """Whether the layers that the stack has are among those that fit on a kernel, under a rule."""
    rows = [row for row in found if row.kernel == kernel.name and row.submission == rule]
    if any(_below(row.may_fit, row.present_layers) for row in rows):
        return OVERFLOWS
    certain = all(row.exact and not _below(row.layers, row.present_layers) for row in rows)
    return FITS if certain else CANNOT_TELL


def _below(layers: int | None, present: int) -> bool:
    return layers is not None and layers < max(0, present)


def _show_layers(
    case: Config, kernels: Sequence[Kernel], kind: str, rule: str | None, as_json: bool
) -> list[LayersThatFit]:
    """One row per kernel, rule and direction; the first kernel must have the stack's kinds."""
    rows: list[LayersThatFit] = []
    left_out: list[str] = []
    with errors().status("") as status:
        for kernel in kernels:
            status.update(f"layers on {kernel.name}")
            try:
                rows += _each_rule(case, kernel, kind, RULES if rule is None else (rule,))
            except UnsupportedKind as error:
                if kernel is kernels[0]:
                    raise
                left_out.append(str(error))
    if as_json:
        print(
            json.dumps(
                {"kind": kind, "rows": [asdict(r) for r in rows], "left_out": left_out}
                | ({"notes": list(kernels[0].taken)} if kernels[0].taken else {}),
                indent=1,
            )
        )
    else:
        out = printer()
        own = {kernel.name: kernel.rule for kernel in kernels}
        out.print(tables.layers_table(rows, own, out.width))
        for why in left_out:
            out.print(Text(f"Left out: {why}", "dim"))
        for text in kernels[0].taken:
            out.print(Text(f"Note: kernel: {text}", "dim"))
    return rows


def _each_rule(
    case: Config, kernel: Kernel, kind: str, rules: Sequence[str]
) -> Iterator[LayersThatFit]:
    """Serialised rules differ in the order of bios, not in any bound: one search for all."""
    found: dict[bool, tuple[LayersThatFit, ...]] = {}
    for rule in rules:
        recursive = rule == "recursive"
        if recursive not in found:
            found[recursive] = find_max_layers(
                case.stack, kind, kernel=kernel, submission=rule, workload=case.workload
            )
        yield from (replace(row, submission=rule) for row in found[recursive])


def _others(chosen: Kernel) -> list[Kernel]:
    """``chosen``, then the other shipped kernels."""
    return [chosen, *(load_kernel(name) for name in PROFILES if name != chosen.name)]
