"""``kernel`` and ``validate``: frame tables, and how far they can be trusted."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from blockstack.cli.application import app
from blockstack.cli.boundary import CANNOT_TELL, FITS, OVERFLOWS
from blockstack.cli.common import JsonOpt, bad_input
from blockstack.cli.terminal import errors, printer, say
from blockstack.kernel import PROFILES, load_kernel, load_table
from blockstack.present import plots
from blockstack.present.tables import depth as tables

kernel_app = typer.Typer(no_args_is_help=True, help="Kernels that ship, and what they are.")
app.add_typer(kernel_app, name="kernel")


@kernel_app.command("list", epilog="Example: `blockstack kernel list --json`")
def kernel_list(
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="Memory of the stacks of so many threads.")
    ] = 10_000,
    as_json: JsonOpt = False,
) -> None:
    """The shipped kernels: submission rule, thread size, interrupt stacks, overflow."""
    rows: list[dict[str, Any]] = []
    for name, profile in PROFILES.items():
        kernel = load_kernel(name)
        rows.append(
            {
                "name": name,
                "generation": profile.generation,
                "submission": kernel.rule,
                **kernel.platform.to_dict(threads),
                "provenance": kernel.provenance(),
            }
        )
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    out = printer()
    out.print(tables.kernels_table(rows, threads, out.width))


@kernel_app.command(
    "extract",
    epilog="Example: `blockstack kernel extract /boot/vmlinuz-6.1.0-50-"
    "amd64 /lib/modules/6.1.0-50-amd64 -o 6.1.0-50.json.gz`",
)
def kernel_extract(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="vmlinux or vmlinuz, .ko or .o files, folders of them (an "
            "unpacked package), gcc's .su and .ci files, or lists of "
            "checkstack.pl.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="A .json.gz or .json file.")],
    name: Annotated[
        str, typer.Option("--name", help='Kernel, when the files do not say: "Linux 6.1".')
    ] = "",
    arch: Annotated[
        str, typer.Option("--arch", help="x86_64 or i386; of .su and .ci files and lists only.")
    ] = "",
    as_json: JsonOpt = False,
) -> None:
    """Read the frames of a kernel out of its machine code: a table for `--kernel`."""
    from blockstack.kernel.extract.build import extract, write_table
    from blockstack.kernel.extract.orc import orc_sentence

    with bad_input(as_json), extraction_progress() as bar:
        data = extract(inputs, kernel=name, arch=arch, progress=bar)
        write_table(data, output)
    if as_json:
        print(json.dumps({"table": str(output), "meta": data["meta"]}, indent=1))
        return
    meta, counts = data["meta"], data["meta"]["counts"]
    say(
        f"{meta['kernel']} ({meta['arch']}): {counts['functions']:,} functions, "
        f"{counts['edges']:,} calls; {orc_sentence(meta.get('orc'))}"
    )
    say(f"wrote {output}")


@kernel_app.command(
    "compare", epilog="Example: `blockstack kernel compare linux-6.1-x86_64 6.12.json.gz`"
)
def kernel_compare(
    before: Annotated[str, typer.Argument(help="A shipped kernel or a table.")],
    after: Annotated[str, typer.Argument(help="A shipped kernel or a table.")],
    limit: Annotated[int, typer.Option("--limit", min=1)] = 40,
    as_json: JsonOpt = False,
) -> None:
    """Which functions on the block path grew or shrank from one kernel to another."""
    from blockstack.kernel.extract.compare import compare, comparison_view

    with bad_input(as_json):
        one, two = (
            load_kernel(k).table if k in PROFILES else load_table(Path(k)) for k in (before, after)
        )
        found = compare(one, two)
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
        return
    out = printer()
    for part in comparison_view(found, limit):
        out.print(part)


@contextmanager
def extraction_progress() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on a terminal's standard error: done, total, what."""
    console = errors()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("reading")
        yield lambda done, total, what: bar.update(
            task, completed=done, total=total, description=what
        )


def _validate_rates(where: Path | None, as_json: bool) -> None:
    """The published rates that ship, or those of a file of the same form."""
    from blockstack.present.tables.published import PublishedLine, published_view
    from blockstack.validation.capacity import judge, read_published, score

    with bad_input(as_json):
        found = [one for row in read_published(where) for one in judge(row)]
    near = score(found)
    lines = [
        PublishedLine(
            f"{one.row.name} {one.point}".rstrip(),
            one.unit,
            one.measured,
            one.predicted,
            one.row.counted,
            one.result.bottleneck,
            one.row.source,
        )
        for one in found
    ]
    if as_json:
        score_of = {"median_error": near.median_error, "off_by_two": near.off_by_two}
        print(json.dumps({"rows": [line._asdict() for line in lines], **score_of}, indent=1))
        return
    out = printer()
    for part in published_view(lines, near.median_error, near.off_by_two):
        out.print(part)


@app.command(epilog="Example: `blockstack validate --plot validate.svg`")
def validate(
    where: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]",
            help="A folder of measured stacks (*.json, *.json.gz), or one "
            "file; none: the set that ships, Debian's 6.1 "
            "and 6.12 (a minute).",
        ),
    ] = None,
    kernel: Annotated[
        list[str] | None,
        typer.Option(
            "--kernel",
            help="Frame tables to compare with; each file of measurements takes "
            "that of its version and architecture. Default: the shipped "
            "ones.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Predicted against measured: .svg, .png or .pdf.")
    ] = None,
    rates: Annotated[
        bool,
        typer.Option(
            "--capacity", help="Published rates against predicted ones instead of depths."
        ),
    ] = False,
    as_json: JsonOpt = False,
) -> None:
    """Measured stacks against their bounds.

    Exit status: 0 every bound holds, 1 one does not, 3 no stack could be modelled, 2 bad input.
    """
    from blockstack.present.tables.validation import summary_view, validation_view
    from blockstack.results.validation import merged
    from blockstack.validation.files import kernel_for, measured_files
    from blockstack.validation.files import validate as compare_all

    if rates:
        _validate_rates(where, as_json)
        return
    out, found = printer(), []
    with bad_input(as_json):
        for measured in measured_files(where):
            with extraction_progress() as bar:
                found.append(compare_all(measured, kernel_for(measured, kernel or ()), bar))
            if not as_json:
                out.print(validation_view(found[-1], out.width))
        for name in kernel or ():
            if load_kernel(name).table.digest not in {v.table for v in found}:
                say(f"note: {name} was not used: no file has its version and architecture")
        if plot is not None:
            plots.save(plots.validated(found), str(plot))
    if not as_json:
        out.print(summary_view(found))
    else:
        print(json.dumps(merged(found), indent=1))
    answers = [v.holds_all for v in found]
    raise typer.Exit(OVERFLOWS if False in answers else FITS if True in answers else CANNOT_TELL)
