"""Peak depth against the number of stacked layers."""

from typing import TYPE_CHECKING

from blockstack.engine.study.survey import Growth
from blockstack.present.style import (
    RULE_COLOURS,
    axes,
    corner,
    limit_line,
    limit_lines,
    plain,
    thousands,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def growth(found: Growth, ax: "Axes | None" = None) -> "Axes":
    """The curve that made serialised make_request: depth over the number of layers.

    Parameters
    ----------
    found : Growth
        From `blockstack.growth`.
    ax : Axes, optional
        Where to draw; None: a figure of its own.

    Returns
    -------
    Axes
        Solid: submission; dotted: completion, where it is the same for every rule drawn once. A
        second line is what an interrupt on the task's stack leaves to the submission.
    """
    ax = axes(ax, 8.4, 5.2)
    top = max(max(p.peak_bytes, p.limit_bytes) for p in found.points) * 1.08
    drawn: set[tuple[tuple[int, int], ...]] = set()
    ends: list[tuple[int, int, str, str]] = []
    for direction, style in (("submission", "-"), ("completion", ":")):
        for rule in dict.fromkeys(p.submission for p in found.points):
            points = [p for p in found.points if p.submission == rule and p.direction == direction]
            line = tuple((p.layers, p.peak_bytes) for p in points)
            if not line or line in drawn:
                continue
            drawn.add(line)
            same = direction == "completion"
            colour = "#555555" if same else RULE_COLOURS[rule]
            ax.plot(*zip(*line, strict=True), style, color=colour, lw=2.2, marker="o", ms=3.5)
            step = (line[-1][1] - line[-2][1]) / max(1, line[-1][0] - line[-2][0])
            at_least = "" if all(p.exact for p in points) else ", at least"
            what = direction if same else f"{direction}, {rule}"
            ends.append(
                (
                    line[-1][1],
                    line[-1][0],
                    colour,
                    f"{what}: {step:+,.0f} bytes per layer{at_least}",
                )
            )
    below = -top
    for y, x, colour, text in sorted(ends):  # lines that end close together keep their labels apart
        below = max(y, below + top * 0.045)
        ax.annotate(
            text,
            (x, y),
            xytext=(x * 1.01, below),
            va="center",
            fontsize=8.5,
            color=colour,
            annotation_clip=False,
        )
    limit_lines(ax, {p.limit_bytes for p in found.points}, left=True)
    struck = min(
        (p.limit_bytes - p.interrupts_bytes for p in found.points if p.interrupts_bytes),
        default=None,
    )
    if struck is not None:
        below = top * 0.05 > max(p.limit_bytes for p in found.points) - struck
        limit_line(
            ax,
            struck,
            style=":",
            left=True,
            va="top" if below else "bottom",
            label=f"submission: limit less interrupts {struck:,} bytes",
        )
    ax.set_xlim(left=0)
    ax.set_ylim(0, top)
    ax.set_xlabel(f"nested {found.kind} layers")
    ax.set_ylabel("deepest stack (bytes)")
    thousands(ax.yaxis)
    plain(ax, f"{found.stack} on {found.kernel}: depth by number of {found.kind} layers")
    corner(ax, found.provenance)
    return ax
