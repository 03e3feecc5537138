"""The command line: a thin pipe from files to calls, tables and exit status.

Exit status: 0 fits, 1 overflows, 3 cannot tell, 2 bad input.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from blockstack.config import Config, load_config, parse_submission, parse_thread_size
from blockstack.engine.explain import LayerLimit, notes_of
from blockstack.engine.explain import explain as explain_stack
from blockstack.engine.explain import max_layers as find_max_layers
from blockstack.engine.simulate import simulate
from blockstack.errors import BlockstackError, ConfigError, UnsupportedKind
from blockstack.kernel import PROFILES, RULES, Kernel, load_kernel, load_table
from blockstack.present import plots, tables
from blockstack.result import Result

FITS, OVERFLOWS, BAD_INPUT, CANNOT_TELL = 0, 1, 2, 3
DEFAULT_KERNEL = "linux-6.1-x86_64"
_STATUS = {True: FITS, False: OVERFLOWS, None: CANNOT_TELL}

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode="markdown",
                  pretty_exceptions_enable=False, context_settings={"max_content_width": 110},
                  help="Will this stack of block devices overflow the kernel stack, how fast can "
                       "it go, and where is its bottleneck?",
                  epilog="Exit status: 0 fits, 1 overflows, 3 cannot tell, 2 bad input; judged on "
                         "the kernel's own rule unless `--submission` is given.")

ConfigArg = Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file: see configs/.")]
KernelOpt = Annotated[str | None, typer.Option(
    "--kernel", help="A shipped kernel (`blockstack kernel list`) or the path of a frame table.")]
SubmissionOpt = Annotated[str | None, typer.Option(
    "--submission", help="What if: recursive, fifo, two-list or lifo.")]
ThreadOpt = Annotated[str | None, typer.Option(
    "--thread-size", help='What if: "4 KiB", "8 KiB", "16 KiB".')]
JsonOpt = Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output.")]


@contextmanager
def bad_input(as_json: bool = False, config: Path | None = None) -> Iterator[None]:
    """Errors that we raise on purpose end the program with status 2 and one line.

    A path inside a config gets the config's name before it.
    """
    try:
        yield
    except BlockstackError as caught:
        inside = caught.path.startswith(("devices", "workload"))
        error = caught.under(str(config)) if config is not None and inside else caught
        if as_json:
            print(json.dumps({"error": {"message": error.message, "path": error.path,
                                        "hint": error.hint}}))
        Console(stderr=True).print(Text.assemble(("error: ", "bold red"), str(error)))
        raise typer.Exit(BAD_INPUT) from caught


def printer() -> Console:
    """The terminal's width; piped, what COLUMNS says, else wide enough for every table."""
    if sys.stdout.isatty():
        return Console()
    return Console(width=int(os.environ.get("COLUMNS") or 160), soft_wrap=False)


def open_case(config: Path, kernel: str | None, thread_size: str | None) -> tuple[Config, Kernel]:
    """The config and its kernel, with what the command line overrides."""
    case = load_config(config)
    try:
        chosen = load_kernel(kernel or case.kernel or DEFAULT_KERNEL)
    except BlockstackError as error:
        raise error if kernel else error.under(str(config)) from error
    size = (parse_thread_size(thread_size, "--thread-size") if thread_size
            else case.overrides.thread_size_bytes)
    return case, chosen.override(thread_size_bytes=size)


def parse_count(text: str) -> int:
    """``50M``, ``2.5k`` or ``1000000``.

    Raises
    ------
    ConfigError
        Not a positive whole number.
    """
    scale = {"k": 10**3, "m": 10**6, "g": 10**9}
    number, unit = (text[:-1], scale[text[-1].lower()]) if text and (
        text[-1].lower() in scale) else (text, 1)
    try:
        value = float(number) * unit
    except ValueError as error:
        raise ConfigError("not a number of bios", path="--bios", value=text,
                          hint="write 50M, 200k or 1000000") from error
    if not 0 < value < 2**53 or value != int(value):
        raise ConfigError("must be a positive whole number", path="--bios", value=text)
    return int(value)


@app.command(epilog="Example: `blockstack run configs/dm-md-iscsi.toml --bios 2M`")
def run(config: ConfigArg, bios: Annotated[str | None, typer.Option(
            "--bios", help="How many bios per rule: 50M, 200k ...")] = None,
        submission: SubmissionOpt = None, kernel: KernelOpt = None,
        thread_size: ThreadOpt = None,
        seed: Annotated[int | None, typer.Option("--seed", help="Same seed, same bios.")] = None,
        threads: Annotated[int, typer.Option(
            "--threads", min=1, max=256, help="Threads that share the bios.")] = 1,
        irq_per_hop: Annotated[float | None, typer.Option(
            "--irq-per-hop", help="Chance that an interrupt strikes during one make_request "
                                  "(shared stacks only; assumed 0.01).")] = None,
        as_json: JsonOpt = False) -> None:
    """Send bios down a stack under every submission rule: peak depth, verdict, throughput."""
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, thread_size)
        only = submission or case.overrides.submission
        rules = RULES if only is None else (parse_submission(only, "--submission"),)
        count = None if bios is None else parse_count(bios)
        results = [_simulate(case, chosen, rule, count, seed, threads, irq_per_hop, i, len(rules))
                   for i, rule in enumerate(rules)]
    judged = next((r for r in results if r.submission == chosen.rule), results[0])
    if as_json:
        print(json.dumps({"config": str(config), "name": case.name or case.stack.name,
                          "kernel": chosen.name, "own_submission": chosen.rule,
                          "judged": judged.submission, "fits": judged.fits,
                          "overrides": list(chosen.overrides),
                          "runs": [r.to_dict() for r in results]}, indent=1))
    else:
        _show_runs(case, chosen, results, judged)
    raise typer.Exit(_STATUS[judged.fits])


def _simulate(case: Config, kernel: Kernel, rule: str, bios: int | None, seed: int | None,
              threads: int, irq_per_hop: float | None, turn: int, turns: int) -> Result:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(
        "{task.completed:,.0f} of {task.total:,.0f} bios"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True,
                  disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{rule} ({turn + 1} of {turns})", total=bios or case.workload.bios)
        return simulate(case.stack, case.workload, kernel=kernel, submission=rule, seed=seed,
                        bios=bios, threads=threads, irq_per_hop=irq_per_hop,
                        progress=lambda done, total: bar.update(task, completed=done, total=total))


def _show_runs(case: Config, kernel: Kernel, results: Sequence[Result], judged: Result) -> None:
    out = printer()
    out.print(Text.assemble((case.name or case.stack.name, "bold"), f" on {kernel.name}, thread "
                            f"size {kernel.platform.thread_size_bytes:,} bytes",
                            f" ({'; '.join(kernel.overrides)})" if kernel.overrides else ""))
    for table in tables.runs_tables(results, kernel.rule, out.width):
        out.print(table)
    out.print(Text(f"* the kernel's own rule; verdict by {judged.submission}", "dim"))
    out.print(Text(f"\nTasks under {judged.submission}", "bold"))
    out.print(tables.tasks_table(judged.tasks, out.width))
    for line in tables.why_lines(judged.tasks):
        out.print(line)
    irq = judged.interrupts
    if irq is not None:
        out.print(Text(
            f"  interrupts on this stack: {irq.strikes:,} struck, {irq.overflows:,} passed the "
            f"limit, deepest {irq.peak_bytes:,} bytes ({irq.per_hop:g} per hop, assumed)",
            "yellow"))
    out.print(Text(f"\nDeepest path: {judged.worst.task} ({judged.worst.context})", "bold"))
    out.print(tables.path_table(judged.deepest_path))
    made = kernel.provenance()
    out.print(Text(f"\nFrames: {made['kernel']}, {made['compiler']} (table {made['table']}); an "
                   f"overflow here {kernel.platform.overflow_outcome}", "dim"))
    for note in notes_of(case.stack, kernel):
        out.print(Text(f"Note: {note}", "dim"))


@app.command(epilog="Example: `blockstack explain configs/dm-md-iscsi.toml --max-layers dm-linear`")
def explain(config: ConfigArg, kernel: KernelOpt = None, submission: SubmissionOpt = None,
            thread_size: ThreadOpt = None,
            max_layers: Annotated[str | None, typer.Option(
                "--max-layers", metavar="KIND", help="How many more layers of KIND fit?")] = None,
            whole: Annotated[bool, typer.Option("--all", help="Every task's path.")] = False,
            as_json: JsonOpt = False) -> None:
    """The deepest path of every task, frame by frame, without simulating."""
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, thread_size)
        rule = submission or case.overrides.submission
        if max_layers is not None:
            rows = _show_layers(case, chosen, max_layers, rule, as_json)
            own = [r for r in rows if r.submission == (rule or chosen.rule)]
            raise typer.Exit(OVERFLOWS if any(r.layers == -1 for r in own) else FITS)
        found = explain_stack(case.stack, kernel=chosen, submission=rule, workload=case.workload)
    if as_json:
        print(json.dumps({"config": str(config)} | found.to_dict(), indent=1))
    else:
        out = printer()
        out.print(tables.explanation_view(found, whole, out.width))
    raise typer.Exit(_STATUS[found.fits])


def _show_layers(case: Config, kernel: Kernel, kind: str, rule: str | None,
                 as_json: bool) -> list[LayerLimit]:
    rules = RULES if rule is None else (rule,)
    rows = [row for one in rules for row in find_max_layers(
        case.stack, kind, kernel=kernel, submission=one, workload=case.workload)]
    if as_json:
        print(json.dumps({"kind": kind, "rows": [asdict(r) for r in rows]}, indent=1))
    else:
        printer().print(tables.layers_table(rows))
    return rows


plot_app = typer.Typer(no_args_is_help=True, help="Pictures for design reviews.")
app.add_typer(plot_app, name="plot")
OutOpt = Annotated[Path, typer.Option("-o", "--output", help="An .svg, .png or .pdf file.")]


@plot_app.command("depth", epilog="Example: `blockstack plot depth configs/dm-md-iscsi.toml "
                                  "-o depth.svg`")
def plot_depth(config: ConfigArg, output: OutOpt = Path("depth.svg"), kernel: KernelOpt = None,
               thread_size: ThreadOpt = None,
               submission: Annotated[list[str] | None, typer.Option(
                   "--submission", help="Columns; recursive beside fifo unless given.")] = None,
               bios: Annotated[str, typer.Option("--bios")] = "20k", as_json: JsonOpt = False
               ) -> None:
    """Depth per layer as an icicle, one column per rule, with the limit as a line."""
    with bad_input(as_json, config):
        case, chosen = open_case(config, kernel, thread_size)
        rules = [parse_submission(r, "--submission") for r in submission or _beside(chosen.rule)]
        results = [simulate(case.stack, case.workload, kernel=chosen, submission=rule,
                            bios=parse_count(bios)) for rule in rules]
        _save(plots.depth(*results), output, results, as_json)


@plot_app.command("headroom", epilog="Example: `blockstack plot headroom configs/dm-md-iscsi.toml "
                                     "-o headroom.png`")
def plot_headroom(config: ConfigArg, output: OutOpt = Path("headroom.svg"),
                  kernel: Annotated[list[str] | None, typer.Option(
                      "--kernel", help="Kernels; all shipped ones that can run the stack.")] = None,
                  bios: Annotated[str, typer.Option("--bios")] = "20k",
                  as_json: JsonOpt = False) -> None:
    """What is left of the stack on each kernel, recursive beside the kernel's own rule."""
    with bad_input(as_json, config):
        case = load_config(config)
        results = list(_headrooms(case, kernel, parse_count(bios)))
        if not results:
            raise ConfigError("no shipped kernel can run this stack", path=str(config))
        _save(plots.headroom(results), output, results, as_json)


def _beside(own: str) -> tuple[str, str]:
    """The recursive rule beside a serialised one."""
    return ("recursive", own if own != "recursive" else "fifo")


def _headrooms(case: Config, kernels: Sequence[str] | None, bios: int) -> Iterator[Result]:
    for name in kernels or PROFILES:
        chosen = load_kernel(name)
        for rule in _beside(chosen.rule):
            try:
                yield simulate(case.stack, case.workload, kernel=chosen, submission=rule,
                               bios=bios)
            except UnsupportedKind as error:
                if kernels:
                    raise
                Console(stderr=True).print(f"left out: {error}", style="dim")
                break


def _save(ax: Any, output: Path, results: Sequence[Result], as_json: bool) -> None:
    plots.save(ax, str(output))
    if as_json:
        print(json.dumps({"picture": str(output), "runs": [r.to_dict() for r in results]},
                         indent=1))
    else:
        Console(stderr=True).print(f"wrote {output}", highlight=False)


@app.command(epilog="Example: `blockstack validate measured/ --plot validate.svg`")
def validate(where: Annotated[Path, typer.Argument(
                metavar="DIR", help="A folder of measured stacks (*.json), or one file.")],
             kernel: Annotated[list[str] | None, typer.Option(
                 "--kernel", help="Frame tables to compare with, chosen by architecture; "
                                  "default: the shipped ones.")] = None,
             plot: Annotated[Path | None, typer.Option(
                 "--plot", help="Predicted against measured: .svg, .png or .pdf.")] = None,
             as_json: JsonOpt = False) -> None:
    """Measured stacks against their bounds: exit status 1 when a bound does not hold."""
    from blockstack.present import validation
    from blockstack.validate import kernel_for, measured_files, merged
    from blockstack.validate import validate as compare_all

    out, reports = Console(width=None if sys.stdout.isatty() else 200), []
    with bad_input(as_json):
        for measured in measured_files(where):
            reports.append(compare_all(measured, kernel_for(measured, kernel or ())))
            if not as_json:
                out.print(validation.report_view(reports[-1]))
        if plot is not None:
            plots.save(validation.predicted_against_measured(reports), str(plot))
    if as_json:
        print(json.dumps(merged(reports), indent=1))
    raise typer.Exit(FITS if all(r.holds_all for r in reports) else OVERFLOWS)


kernel_app = typer.Typer(no_args_is_help=True, help="Kernels that ship, and what they are.")
app.add_typer(kernel_app, name="kernel")


@kernel_app.command("list", epilog="Example: `blockstack kernel list --json`")
def kernel_list(threads: Annotated[int, typer.Option(
                    "--threads", min=1, help="Memory of the stacks of so many threads.")] = 10_000,
                as_json: JsonOpt = False) -> None:
    """The shipped kernels: submission rule, thread size, interrupt stacks, overflow."""
    rows: list[dict[str, Any]] = []
    for name, profile in PROFILES.items():
        kernel = load_kernel(name)
        rows.append({"name": name, "generation": profile.generation, "submission": kernel.rule,
                     **kernel.platform.to_dict(threads), "provenance": kernel.provenance()})
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    printer().print(tables.kernels_table(rows, threads))


@kernel_app.command("extract", epilog="Example: `blockstack kernel extract /boot/vmlinuz-6.1.0-50-"
                                      "amd64 /lib/modules/6.1.0-50-amd64 -o 6.1.0-50.json.gz`")
def kernel_extract(
        inputs: Annotated[list[Path], typer.Argument(
            metavar="FILE...", help="vmlinux or vmlinuz, .ko or .o files, folders of them (an "
                                    "unpacked package), or gcc's .su and .ci files.")],
        output: Annotated[Path, typer.Option("-o", "--output", help="A .json.gz or .json file.")],
        name: Annotated[str, typer.Option(
            "--name", help='Kernel, when the files do not say: "Linux 6.1".')] = "",
        arch: Annotated[str, typer.Option(
            "--arch", help="x86_64 or i386; of .su and .ci files only.")] = "",
        as_json: JsonOpt = False) -> None:
    """Read the frames of a kernel out of its machine code: a table for `--kernel`."""
    from blockstack.kernel.extract.build import extract, write_table

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with bad_input(as_json), Progress(*columns, console=console, transient=True,
                                      disable=not console.is_terminal) as bar:
        task = bar.add_task("reading")
        data = extract(inputs, kernel=name, arch=arch, progress=lambda done, total, what:
                       bar.update(task, completed=done, total=total, description=what))
        write_table(data, output)
    if as_json:
        print(json.dumps({"table": str(output), "meta": data["meta"]}, indent=1))
        return
    meta, counts, orc = data["meta"], data["meta"]["counts"], data["meta"].get("orc")
    console.print(f"{meta['kernel']} ({meta['arch']}): {counts['functions']:,} functions, "
                  f"{counts['edges']:,} calls" + (f"; ORC agrees on {orc['percent']:.2f} % of "
                                                  f"{orc['functions']:,}" if orc else ""),
                  highlight=False)
    console.print(f"wrote {output}", highlight=False)


@kernel_app.command("compare", epilog="Example: `blockstack kernel compare linux-6.1-x86_64 "
                                      "6.12.json.gz`")
def kernel_compare(before: Annotated[str, typer.Argument(help="A shipped kernel or a table.")],
                   after: Annotated[str, typer.Argument(help="A shipped kernel or a table.")],
                   limit: Annotated[int, typer.Option("--limit", min=1)] = 40,
                   as_json: JsonOpt = False) -> None:
    """Which functions on the block path grew or shrank from one kernel to another."""
    from blockstack.kernel.extract.compare import compare, comparison_view

    with bad_input(as_json):
        tables_ = [load_kernel(k).table if k in PROFILES else load_table(Path(k))
                   for k in (before, after)]
        found = compare(*tables_)
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
        return
    out = Console(width=None if sys.stdout.isatty() else 160)
    for part in comparison_view(found, limit):
        out.print(part)


def main() -> None:
    """Entry point of the ``blockstack`` command."""
    if hasattr(signal, "SIGPIPE"):  # a reader that has seen enough (head, less) is no error
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    app()
