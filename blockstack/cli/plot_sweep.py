"""``plot sweep``: a sweep's points as a picture."""

import json
from pathlib import Path
from typing import Annotated

import typer

from blockstack.base.errors import ConfigError
from blockstack.base.files import write_text
from blockstack.cli.common import bad_input
from blockstack.cli.plot import plot_app
from blockstack.cli.terminal import say
from blockstack.present import plots
from blockstack.present.export.vega_lite import vega_lite
from blockstack.present.plots.sweep import draw_sweep
from blockstack.results.sweep import Sweep
from blockstack.sweeps import ask

#: endings of a Vega-Lite specification
_VEGA = (".vl.json", ".json")


@plot_app.command(
    "sweep",
    epilog="Example: `blockstack plot sweep points.parquet --x iodepth --y iops "
    "--colour devices.md0.chunk -o sweep.svg`",
)
def plot_sweep(
    points: Annotated[Path, typer.Argument(metavar="POINTS", help="A Parquet file of `sweep`.")],
    x: Annotated[str, typer.Option("--x", help="A column: an axis, or what was measured.")],
    y: Annotated[str, typer.Option("--y")],
    colour: Annotated[str | None, typer.Option("--colour", help="A line per value.")] = None,
    facet: Annotated[str | None, typer.Option("--facet", help="A picture per value.")] = None,
    heat: Annotated[
        str | None, typer.Option("--heat", help="A map of x and y instead: this column's value.")
    ] = None,
    front: Annotated[bool, typer.Option("--pareto", help="Which points nothing beats.")] = False,
    slo: Annotated[
        list[str] | None, typer.Option("--slo", help="Only points that keep it.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="An .svg, .png or .pdf; .vl.json for Vega-Lite.")
    ] = Path("sweep.svg"),
) -> None:
    """Curves, small multiples, a map with the verdict's border, or the best points of a sweep."""
    with bad_input():
        names = {
            n: None if t is None else ask.column_named(t)
            for n, t in {"x": x, "y": y, "colour": colour, "facet": facet, "heat": heat}.items()
        }
        found = ask.keeping(Sweep.load(points), [ask.parse_promise(t) for t in slo or ()])
        across, up = names["x"] or x, names["y"] or y
        if output.name.endswith(_VEGA):
            if heat or front:
                raise ConfigError("has curves only", path=str(output), hint="an .svg for the rest")
            spec = vega_lite(found, across, up, names["colour"], names["facet"])
            write_text(output, json.dumps(spec, indent=1) + "\n")
        else:
            best = ask.pareto(found, [across, up]) if front else None
            ax = draw_sweep(
                found,
                across,
                up,
                colour=names["colour"],
                facet=names["facet"],
                heat=names["heat"],
                best=best,
            )
            plots.save(ax, str(output))
    say(f"wrote {output}")
