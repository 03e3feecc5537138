"""Pictures for design reviews: bytes on the axis, limits drawn and named, provenance in the corner.

Every function takes ``ax=None`` and returns the Axes; nothing global is touched.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from blockstack.errors import BlockstackError
from blockstack.result import Frame, Result, TaskDepth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe-Ito: told apart by readers with any colour vision
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999",
            "#3B3B6D", "#8C6D31", "#A6DBA0", "#E7D4E8")
_OVER = "#B00020"
_INK = "#222222"


def _axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    if ax is not None:
        return ax
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # the bottom of the figure is left for the corner's line
    layout = ConstrainedLayoutEngine(rect=(0, 0.035, 1, 0.965))
    return Figure(figsize=(width, height), layout=layout).add_subplot()


def _ink(colour: str) -> str:
    """Black or white, whichever can be read on ``colour``."""
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 150 else _INK


def _groups(path: Sequence[Frame]) -> list[tuple[str, int, list[Frame]]]:
    """Consecutive frames of one layer: (layer, bytes, frames)."""
    groups: list[tuple[str, int, list[Frame]]] = []
    for frame in path:
        if groups and groups[-1][0] == frame.layer:
            layer, n, frames = groups[-1]
            groups[-1] = (layer, n + frame.bytes, [*frames, frame])
        else:
            groups.append((frame.layer, frame.bytes, [frame]))
    return groups


def depth(*results: Result, ax: "Axes | None" = None) -> "Axes":
    """The deepest path of the worst submitting task: one column per result, layers downwards.

    Parameters
    ----------
    *results : Result
        Usually the recursive rule beside a serialised one, on one kernel.
    ax : Axes, optional

    Returns
    -------
    Axes
        y in bytes from the top of the stack; the limit is a line.
    """
    ax = _axes(ax, 2.6 + 3.1 * len(results), 7.2)
    shown = [min((t for t in r.tasks if t.context == "caller"), key=lambda t: t.headroom_bytes)
             for r in results]
    layers = list(dict.fromkeys(f.layer for t in shown for f in t.path))
    colour = {layer: _COLOURS[i % len(_COLOURS)] for i, layer in enumerate(layers)}
    tallest = max(max(t.peak_bytes, t.limit_bytes) for t in shown) * 1.06
    for x, (result, task) in enumerate(zip(results, shown, strict=True)):
        _icicle(ax, x, task, colour, tallest)
        state = (f"overflows by {-task.headroom_bytes:,} bytes" if task.headroom_bytes < 0
                 else f"{task.headroom_bytes:,} bytes left")
        prefix = "" if task.exact else "at least "
        ax.text(x, -tallest * 0.012, f"{result.submission}: {task.task}\n"
                f"{prefix}{task.peak_bytes:,} bytes, {state}", ha="center", va="bottom",
                fontsize=10, color=_OVER if task.headroom_bytes < 0 else _INK, fontweight="bold")
    for limit in sorted({t.limit_bytes for t in shown}):
        ax.axhline(limit, color=_OVER, lw=1.6, ls="--")
        ax.text(len(results) - 0.5, limit, f"limit {limit:,} bytes", color=_OVER, va="bottom",
                ha="right", fontsize=9)
    ax.set_xlim(-0.55, len(results) - 0.45)
    ax.set_ylim(tallest, -tallest * 0.1)
    ax.set_xticks([])
    ax.set_ylabel("bytes from the top of the thread's stack")
    ax.yaxis.set_major_formatter("{x:,.0f}")
    for side in ("top", "right", "bottom"):
        ax.spines[side].set_visible(False)
    first = results[0]
    ax.set_title(f"{first.provenance['stack']} on {first.kernel}", loc="left", fontsize=12)
    _corner(ax, first.provenance)
    return ax


def _icicle(ax: "Axes", x: int, task: TaskDepth, colour: Mapping[str, str],
            tallest: float) -> None:
    from matplotlib.patches import Rectangle

    top = 0
    for layer, n_bytes, frames in _groups(task.path):
        ink = _ink(colour[layer])
        ax.add_patch(Rectangle((x - 0.46, top), 0.92, n_bytes, facecolor=colour[layer],
                               edgecolor="white", lw=1.2))
        inner = top
        for frame in frames:
            if frame.bytes > tallest * 0.004:
                ax.plot([x + 0.02, x + 0.46], [inner, inner], color="white", lw=0.4)
            if frame.bytes > tallest * 0.021:
                ax.text(x + 0.44, inner + frame.bytes / 2,
                        f"{_short(frame.function)} {frame.bytes}", fontsize=6, va="center",
                        ha="right", color=ink)
            inner += frame.bytes
        if n_bytes > tallest * 0.016:
            ax.text(x - 0.44, top + n_bytes / 2, f"{_short(layer, 18)}  {n_bytes}", fontsize=7.5,
                    va="center", color=ink, fontweight="bold")
        top += n_bytes
    if top > task.limit_bytes:
        ax.add_patch(Rectangle((x - 0.46, task.limit_bytes), 0.92, top - task.limit_bytes,
                               facecolor="none", edgecolor=_OVER, hatch="///", lw=0))


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[:most - 1] + "…"


def headroom(results: Sequence[Result], ax: "Axes | None" = None) -> "Axes":
    """Headroom of the worst task per kernel and rule: bars, the limit as a line at zero.

    Parameters
    ----------
    results : sequence of Result
        Runs of one stack on several kernels or under several rules.
    """
    ax = _axes(ax, 8.4, 1.4 + 0.36 * len(results))
    for y, r in enumerate(results):
        fits = r.fits
        colour = _OVER if fits is False else "#E69F00" if fits is None else "#009E73"
        ax.barh(y, r.headroom_bytes, color=colour, height=0.66, hatch="//" if fits is None else "",
                edgecolor="white")
        word = {True: "", False: "", None: " (at most)" if not r.exact else " (cannot tell)"}[fits]
        ax.text(r.headroom_bytes, y, f" {r.headroom_bytes:,}{word} ", va="center", fontsize=8,
                ha="left" if r.headroom_bytes >= 0 else "right")
    ax.axvline(0, color=_OVER, lw=1.6)
    ax.set_yticks(range(len(results)), [f"{r.kernel}, {r.submission}" for r in results],
                  fontsize=8)
    ax.invert_yaxis()
    ax.margins(x=0.2)
    ax.set_xlabel("headroom of the worst task (bytes); left of the line the stack overflows")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.set_title(f"{results[0].provenance['stack']}: what is left of the stack", loc="left",
                 fontsize=12)
    _corner(ax, results[0].provenance)
    return ax


def _corner(ax: "Axes", provenance: Mapping[str, object]) -> None:
    compiler = str(provenance.get("compiler", "")).split(" ")[0]
    text = (f"frames: {provenance.get('kernel')}, {compiler}, table {provenance.get('table')}; "
            f"seed {provenance.get('seed')}; plan {provenance.get('plan')}")
    ax.figure.text(0.995, 0.002, text, ha="right", va="bottom", fontsize=5.5, color="#666666")


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
