"""The design-review pack: one page, every figure as SVG and PNG, the data as JSON."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from blockstack.engine.explain import explain
from blockstack.engine.nesting import LayerLimit, max_layers
from blockstack.errors import BlockstackError
from blockstack.present import plots
from blockstack.present.figures import FIGURES, Subject, draw
from blockstack.present.folded import folded, speedscope
from blockstack.present.style import COLOURS
from blockstack.present.tables import reasons
from blockstack.result import Explanation, Frame

_STATES = {True: "fits", False: "over", None: "unknown"}
_WORDS = {True: "fits", False: "overflows", None: "cannot tell"}
#: height of the page's icicle
_ICICLE_REM = 30


@dataclass(frozen=True)
class Pack:
    """What was written.

    Attributes
    ----------
    page : Path
    figures : tuple of str
    left_out : tuple of str
        Figures that this stack does not have, with the reason.
    explanation : Explanation
    """

    page: Path
    figures: tuple[str, ...]
    left_out: tuple[str, ...]
    explanation: Explanation


def report(subject: Subject, folder: Path, *, title: str = "", description: str = "",
           progress: Callable[[str], None] | None = None) -> Pack:
    """Write the review of a stack into ``folder``: the same inputs give the same bytes.

    Parameters
    ----------
    subject : Subject
    folder : Path
        Made when it is not there.
    progress : callable or None
        Called with the name of each figure before it is made.

    Raises
    ------
    BlockstackError
        A stack that the kernel cannot run, a folder that cannot be written, no jinja2.
    """
    found = explain(subject.stack, kernel=subject.kernel, workload=subject.workload)
    layers, no_layers = _layers(subject)
    try:
        for part in ("figures", "data"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        drawn, left_out = [], []
        for name in FIGURES:
            if progress is not None:
                progress(name)
            try:
                drawn.append(_figure(name, subject, folder))
            except BlockstackError as error:
                left_out.append(f"{name}: {error}")
        (folder / "stacks.folded").write_text(folded(found.tasks))
        (folder / "stacks.speedscope.json").write_text(speedscope(found.stack, found.tasks))
        (folder / "data" / "explanation.json").write_text(json.dumps(found.to_dict(), indent=1))
        page = folder / "index.html"
        page.write_text(_page(found, title or found.stack, description, drawn, left_out, layers,
                              no_layers, subject.kind))
    except OSError as error:
        raise BlockstackError(f"cannot be written: {error.strerror or error}",
                              path=str(folder)) from error
    return Pack(page, tuple(one["name"] for one in drawn), tuple(left_out), found)


def _layers(subject: Subject) -> tuple[tuple[LayerLimit, ...], str]:
    try:
        return tuple(row for rule in dict.fromkeys(("recursive", subject.kernel.rule))
                     for row in max_layers(subject.stack, subject.kind, kernel=subject.kernel,
                                           submission=rule, workload=subject.workload)), ""
    except BlockstackError as error:
        return (), str(error)


def _figure(name: str, subject: Subject, folder: Path) -> dict[str, str]:
    figure = draw(name, subject)
    svg = folder / "figures" / f"{name}.svg"
    plots.save(figure.ax, str(svg))
    plots.save(figure.ax, str(svg.with_suffix(".png")))
    (folder / "data" / f"{name}.json").write_text(json.dumps(figure.data, indent=1, default=str))
    inline = base64.b64encode(svg.read_bytes()).decode()
    return {"name": name, "caption": FIGURES[name][0],
            "source": f"data:image/svg+xml;base64,{inline}"}


def _page(found: Explanation, title: str, description: str, figures: Sequence[dict[str, str]],
          left_out: Sequence[str], layers: Sequence[LayerLimit], no_layers: str, kind: str) -> str:
    try:
        import jinja2
    except ImportError as error:
        raise BlockstackError("the report needs jinja2", path="report",
                              hint="pip install 'blockstack[report]'") from error
    text = resources.files("blockstack.present").joinpath("report.html.j2").read_text()
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        text)
    worst = found.worst
    at_least = "" if worst.exact else "at least "
    room = (f"{worst.headroom_bytes:,} bytes left" if worst.headroom_bytes >= 0
            else f"{-worst.headroom_bytes:,} bytes too many")
    return template.render(
        title=title, description=description, state=_STATES[found.fits],
        verdict=f"{_WORDS[found.fits]} on {found.kernel}, {found.submission}",
        sentence=f"Deepest: {worst.task}, {at_least}{worst.peak_bytes:,} of "
                 f"{worst.limit_bytes:,} bytes, {room}.",
        reasons=reasons([t for t in found.tasks if t.fits is not True], len(found.tasks))[:6],
        tasks=sorted(found.tasks, key=lambda t: t.headroom_bytes), states=_STATES, words=_WORDS,
        layers=[asdict(row) for row in layers], no_layers=no_layers, kind=kind, worst=worst,
        icicle=list(_icicle(worst.path, worst.limit_bytes)), figures=figures, left_out=left_out,
        notes=found.notes, provenance=[(k, v) for k, v in found.provenance.items() if v])


def _icicle(path: Sequence[Frame], limit_bytes: int) -> Iterator[dict[str, Any]]:
    """Consecutive frames of a layer as one block, outermost first."""
    total = max(limit_bytes, sum(f.bytes for f in path))
    colour = {layer: COLOURS[i % len(COLOURS)] + "b0"
              for i, layer in enumerate(dict.fromkeys(f.layer for f in path))}
    depth, block = 0, []
    for i, frame in enumerate(path):
        block.append(frame)
        if i + 1 < len(path) and path[i + 1].layer == frame.layer:
            continue
        n_bytes = sum(f.bytes for f in block)
        depth += n_bytes
        yield {"name": frame.layer, "bytes": n_bytes, "colour": colour[frame.layer],
               "height": f"{n_bytes / total * _ICICLE_REM:.2f}", "past": depth > limit_bytes,
               "title": "\n".join(f"{f.function}  {f.bytes}" for f in block)}
        block = []
