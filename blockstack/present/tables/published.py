"""Published rates beside predicted ones: a table in a terminal."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


class PublishedLine(NamedTuple):
    """One figure: its row, unit, both figures, whether it counts, what stops it in the model."""

    name: str
    unit: str
    measured: float
    predicted: float
    counted: bool
    bottleneck: str
    source: str


def published_view(
    lines: Sequence[PublishedLine], median_error: float, off_by_two: float
) -> Iterator[RenderableType]:
    """A row per figure, then how near the counted ones are."""
    table = Table(box=box.SIMPLE, header_style="bold")
    for name in ("published", "measured", "predicted", "ratio", "bottleneck"):
        table.add_column(name, justify="left" if name in ("published", "bottleneck") else "right")
    for line in lines:
        ratio = line.predicted / line.measured
        style = "dim" if not line.counted else "red" if not 0.5 <= ratio <= 2 else ""
        table.add_row(
            f"{line.name} ({line.source})",
            f"{line.measured:,.4g} {line.unit}",
            f"{line.predicted:,.4g}",
            f"{ratio:.2f}",
            line.bottleneck,
            style=style,
        )
    yield table
    counted = sum(line.counted for line in lines)
    yield Text(
        f"{counted} figures count (dim: those calibrate it): median error {median_error:.0%}, "
        f"{off_by_two:.0%} off by more than a factor of two.",
        "bold",
    )
