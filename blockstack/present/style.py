"""The one look of every picture: colours, bytes on the axis, limits named, provenance."""

import io
import textwrap
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blockstack.base.errors import BlockstackError
from blockstack.base.files import written_whole
from blockstack.base.harmless import for_xml

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.colors import Colormap
    from PIL.Image import Image

# Okabe-Ito first: told apart by readers with any colour vision
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
    "#3B3B6D",
    "#8C6D31",
    "#A6DBA0",
    "#E7D4E8",
)
OVER, UNKNOWN, FITS = "#B00020", "#E69F00", "#009E73"
INK, DIM = "#222222", "#666666"
VERDICT = {True: FITS, None: UNKNOWN, False: OVER}
_THUMBNAIL_WIDTH = 160
_LETTER_INCHES = 0.047  # of the corner's letters, in the mean
#: what gains and what loses
BETTER, WORSE = COLOURS[0], COLOURS[5]
#: every rule its colour, in every picture
RULE_COLOURS = {"recursive": "#D55E00", "fifo": "#0072B2", "two-list": "#009E73", "lifo": "#CC79A7"}


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
    """Black or white, whichever stands out more from ``colour``: one of them by 4.5 at least.

    Relative luminance and contrast as in WCAG 2.2.
    """
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#FFFFFF" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def room(headroom_bytes: int) -> str:
    """``1,424 bytes left`` or ``overflows by 180 bytes``."""
    return (
        f"overflows by {-headroom_bytes:,} bytes"
        if headroom_bytes < 0
        else f"{headroom_bytes:,} bytes left"
    )


def short(text: str, most: int = 24) -> str:
    """``text``, cut to ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def busy_colours() -> "Colormap":
    """Pale to dark blue for 0 to 1: told apart by lightness alone."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("busy", ("#F1F5F9", "#8CC4EA", "#0072B2", "#00304D"))


def busy_colour(share: float) -> str:
    """The colour of a server that is busy so much of the time."""
    from matplotlib.colors import to_hex

    return to_hex(busy_colours()(min(1.0, max(0.0, share))))


def plain(ax: "Axes", title: str, *, keep: Sequence[str] = ("left", "bottom")) -> None:
    """A title on the left, and only the spines in ``keep``."""
    ax.set_title(title, loc="left", fontsize=12, color=INK)
    for side, spine in ax.spines.items():
        spine.set_visible(side in keep)


def thousands(axis: "Axis") -> None:
    """12,345 on an axis."""
    axis.set_major_formatter("{x:,.0f}")


def limit_line(
    ax: "Axes",
    limit_bytes: int,
    *,
    label: str | None = None,
    style: str = "--",
    va: str = "bottom",
    left: bool = False,
    colour: str = OVER,
) -> None:
    """A limit in bytes as a line across the picture, named at its right or left end."""
    ax.axhline(limit_bytes, color=colour, lw=1.6 if style == "--" else 1.1, ls=style, zorder=4)
    ax.text(
        0.01 if left else 0.995,
        limit_bytes,
        label or f"limit {limit_bytes:,} bytes",
        color=colour,
        va=va,
        ha="left" if left else "right",
        fontsize=8.5,
        zorder=5,
        transform=ax.get_yaxis_transform(),
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4, "alpha": 0.75},
    )


def limit_lines(ax: "Axes", limits_bytes: Iterable[int], *, left: bool = False) -> None:
    """Limits as lines; those that lie too close for two labels share one."""
    ordered = sorted(limits_bytes)
    near = [ordered[:1]]
    for limit in ordered[1:]:
        if limit - near[-1][-1] > 0.02 * ordered[-1]:
            near.append([])
        near[-1].append(limit)
    for group in near:
        for limit in group[:-1]:
            ax.axhline(limit, color=OVER, lw=1.6, ls="--", zorder=4)
        words = " and ".join(f"{limit:,}" for limit in group)
        limit_line(ax, group[-1], label=f"limit {words} bytes", left=left)


def corner(ax: "Axes", provenance: Mapping[str, object]) -> None:
    """Where the figures come from, in the lower right corner."""
    corner_of_all(ax, [provenance])


def corner_of_all(ax: "Axes", provenances: Sequence[Mapping[str, object]]) -> None:
    """Where the figures of several runs come from: every frame table once, what else is one."""
    tables = dict.fromkeys(
        f"{p.get('kernel')}, {str(p.get('compiler', '')).split(' ')[0]}, table {p.get('table')}"
        for p in provenances
    )
    parts = ["frames: " + " | ".join(tables)]
    for name in ("seed", "plan", "blockstack"):
        values = {p[name] for p in provenances if name in p}
        if len(values) == 1:
            parts.append(f"{name} {values.pop()}")
    corner_text(ax, "; ".join(parts))


def corner_text(ax: "Axes", text: str) -> None:
    """A line in the lower right corner of the figure; two where it is too narrow for one."""
    figure: Any = ax.figure
    letters = int(figure.get_figwidth() / _LETTER_INCHES)
    figure.text(
        0.995,
        0.002,
        "\n".join(textwrap.wrap(text, letters)),
        ha="right",
        va="bottom",
        fontsize=6,
        color=DIM,
        linespacing=1.1,
    )


def thumbnail(png: Path) -> "Image":
    """A picture as small and grey as layout and colours need: what tests compare."""
    from PIL import Image as Pictures

    with Pictures.open(png) as picture:
        height = round(picture.height * _THUMBNAIL_WIDTH / picture.width)
        return picture.convert("L").resize((_THUMBNAIL_WIDTH, height), Pictures.Resampling.BOX)


def save(ax: "Axes", path: str) -> None:
    """Write the figure of ``ax``: SVG, PNG or PDF by the file's ending; the same bytes each time.

    Parameters
    ----------
    ax : Axes
        Any of the figure's.
    path : str
        Written whole or not at all.

    Raises
    ------
    BlockstackError
        An ending that matplotlib does not write, a file that cannot be written.
    """
    import matplotlib as mpl

    ending = path.rsplit(".", 1)[-1].lower()
    if ending not in ("svg", "png", "pdf"):
        raise BlockstackError(
            "cannot write such a picture",
            path="-o",
            value=path,
            hint="end the name in .svg, .png or .pdf",
        )
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[ending]
    with mpl.rc_context({"svg.hashsalt": "blockstack", "svg.fonttype": "path"}):
        try:
            with written_whole(path) as out:
                figure: Any = ax.figure
                drawn = io.BytesIO()
                with warnings.catch_warnings():  # a sign that no font has is drawn as a box
                    warnings.filterwarnings("ignore", "Glyph", UserWarning)
                    figure.savefig(drawn, format=ending, metadata=dates, dpi=160)
                data = drawn.getvalue()
                out.write(for_xml(data.decode()).encode() if ending == "svg" else data)
        except OSError as error:
            raise BlockstackError(
                f"cannot be written: {error.strerror or error}", path=path
            ) from error
