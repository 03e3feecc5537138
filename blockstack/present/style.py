"""The one look of every picture: colours, bytes on the axis, limits named, provenance."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from blockstack.errors import BlockstackError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe-Ito first: told apart by readers with any colour vision
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999",
           "#3B3B6D", "#8C6D31", "#A6DBA0", "#E7D4E8")
OVER, UNKNOWN, FITS = "#B00020", "#E69F00", "#009E73"
INK, DIM = "#222222", "#666666"
VERDICT = {True: FITS, None: UNKNOWN, False: OVER}
#: every rule its colour, in every picture
RULE_COLOURS = {"recursive": "#D55E00", "fifo": "#0072B2", "two-list": "#009E73",
                "lifo": "#CC79A7"}


def axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """``ax``, or the one of a new figure of so many inches.

    The bottom of the figure is left for the corner's line.
    """
    if ax is not None:
        return ax
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    room = 0.25 / height
    layout = ConstrainedLayoutEngine(rect=(0, room, 1, 1 - room))
    return Figure(figsize=(width, height), layout=layout).add_subplot()


def ink(colour: str) -> str:
    """Black or white, whichever can be read on ``colour``."""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 150 else INK


def short(text: str, most: int = 24) -> str:
    """``text``, cut to ``most`` characters."""
    return text if len(text) <= most else text[:most - 1] + "…"


def plain(ax: "Axes", title: str, *, keep: Sequence[str] = ("left", "bottom")) -> None:
    """A title on the left, and only the spines in ``keep``."""
    ax.set_title(title, loc="left", fontsize=12, color=INK)
    for side, spine in ax.spines.items():
        spine.set_visible(side in keep)


def thousands(axis: "Axis") -> None:
    """12,345 on an axis."""
    axis.set_major_formatter("{x:,.0f}")


def limit_line(ax: "Axes", limit_bytes: int, *, x: float | None = None,
               label: str | None = None) -> None:
    """A limit in bytes as a named dashed line across the picture; ``x`` in axes shares."""
    text = label or f"limit {limit_bytes:,} bytes"
    ax.axhline(limit_bytes, color=OVER, lw=1.6, ls="--", zorder=4)
    ax.text(0.995 if x is None else x, limit_bytes, text, color=OVER, va="bottom", ha="right",
            fontsize=8.5, transform=ax.get_yaxis_transform(), zorder=5)


def corner(ax: "Axes", provenance: Mapping[str, object]) -> None:
    """Where the figures come from, in the lower right corner."""
    compiler = str(provenance.get("compiler", "")).split(" ")[0]
    parts = [f"frames: {provenance.get('kernel')}, {compiler}, table {provenance.get('table')}"]
    parts += [f"{name} {provenance[name]}" for name in ("seed", "plan") if name in provenance]
    corner_text(ax, "; ".join(parts))


def corner_text(ax: "Axes", text: str) -> None:
    """A line in the lower right corner of the figure."""
    figure: Any = ax.figure
    figure.text(0.995, 0.002, text, ha="right", va="bottom", fontsize=5.5, color=DIM)


def save(ax: "Axes", path: str) -> None:
    """Write the figure of ``ax``: SVG, PNG or PDF by the file's ending; the same bytes each time.

    Raises
    ------
    BlockstackError
        An ending that matplotlib does not write, a file that cannot be written.
    """
    import matplotlib as mpl

    ending = path.rsplit(".", 1)[-1].lower()
    if ending not in ("svg", "png", "pdf"):
        raise BlockstackError("cannot write such a picture", path="-o", value=path,
                              hint="end the name in .svg, .png or .pdf")
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[ending]
    with mpl.rc_context({"svg.hashsalt": "blockstack", "svg.fonttype": "path"}):
        try:
            ax.figure.savefig(path, metadata=dates, dpi=160)  # type: ignore[union-attr]
        except OSError as error:
            raise BlockstackError(f"cannot be written: {error.strerror or error}",
                                  path=path) from error
