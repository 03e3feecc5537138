"""``compare``: what changed between two stacks, kernels or results, and what mattered."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from blockstack.cli.application import app
from blockstack.cli.common import STATUS, JsonOpt, SkipOpt, bad_input, open_case
from blockstack.cli.terminal import printer, say
from blockstack.engine.depth.explain import explain
from blockstack.present import plots
from blockstack.results.compared import Compared, Side, compare_sides, read_side

_ROWS = 12


@app.command(
    epilog="Examples: `blockstack compare configs/recursive.toml configs/crypt.toml`, "
    "`blockstack compare CONFIG CONFIG --kernel-b linux-2.6.24-i386-4k`"
)
def compare(
    a: Annotated[
        Path, typer.Argument(metavar="A", help="A config, a host, or a file that --json wrote.")
    ],
    b: Annotated[Path, typer.Argument(metavar="B", help="The same.")],
    kernel_a: Annotated[str | None, typer.Option("--kernel-a")] = None,
    kernel_b: Annotated[str | None, typer.Option("--kernel-b")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Also a picture: .svg, .png or .pdf.")
    ] = None,
    skip: SkipOpt = None,
    as_json: JsonOpt = False,
) -> None:
    """Lay two answers side by side: headroom per task, bytes per layer and function."""
    with bad_input(as_json):
        found = compare_sides(_side(a, kernel_a, skip), _side(b, kernel_b, skip))
        if output is not None:
            plots.save(plots.compared(found), str(output))
            say(f"wrote {output}")
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
    else:
        _show(found)
    raise typer.Exit(STATUS[found.b.fits])


def _side(path: Path, kernel: str | None, skip: list[str] | None) -> Side:
    if path.suffix == ".json" and path.is_file() and b'"tasks"' in path.read_bytes():
        return read_side(path)
    case, chosen = open_case(path, kernel, None, skip or ())
    found = explain(
        case.stack, kernel=chosen, workload=case.workload, submission=case.overrides.submission
    )
    return Side(
        case.name or case.stack.name,
        found.kernel,
        found.submission,
        found.fits,
        found.tasks,
        found.provenance,
    )


def _show(found: Compared) -> None:
    out = printer()
    words = {True: "fits", False: "overflows", None: "cannot tell"}
    for letter, side in (("A", found.a), ("B", found.b)):
        room = side.worst.headroom_bytes
        out.print(
            f"{letter}: {side.name} on {side.kernel}, {side.submission}: "
            f"{words[side.fits]}; {side.worst.task}, {abs(room):,} bytes "
            f"{'left' if room >= 0 else 'too many'}",
            highlight=False,
        )
    for title, rows, unit in (
        ("task", found.headroom, "headroom B"),
        ("layer of the worst task", found.layers, "bytes"),
        ("function of the worst task", found.functions, "bytes"),
    ):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column(title)
        for head in (f"A\n{unit}", f"B\n{unit}", "\nchange"):
            table.add_column(head, justify="right")
        changed = [row for row in rows if row.change_bytes]
        for row in changed[:_ROWS]:
            table.add_row(
                row.name,
                *("-" if n is None else f"{n:,}" for n in (row.a_bytes, row.b_bytes)),
                f"{row.change_bytes:+,}",
            )
        if len(changed) > _ROWS:
            table.add_row(f"{len(changed) - _ROWS} more (--json)", "", "", "")
        out.print(table if changed else f"{title}: no change")
