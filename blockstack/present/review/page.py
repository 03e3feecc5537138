"""The design-review pack: one page, every figure as SVG and PNG, the data as JSON."""

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.base.files import write_text
from blockstack.base.harmless import for_xml
from blockstack.engine.depth.explain import explain
from blockstack.engine.study.nesting import LayersThatFit, max_layers
from blockstack.present import plots
from blockstack.present.export.folded import folded, speedscope
from blockstack.present.review.figures import FIGURES, Subject, draw
from blockstack.present.style import COLOURS, ink
from blockstack.present.tables.depth import in_its_time, published, reasons
from blockstack.results.result import Explanation, Frame, TaskDepth

_STATES = {True: "fits", False: "over", None: "unknown"}
_WORDS = {True: "fits", False: "overflows", None: "cannot tell"}
#: height of the page's icicle
_ICICLE_REM = 30


@dataclass(frozen=True)
class Host:
    """One stack of a review.

    Attributes
    ----------
    subject : Subject
    title, description : str
    source : str
        Where it was read.
    assumed, left_out : tuple of str
        What the reader of its sources assumed and left out.
    """

    subject: Subject
    title: str
    description: str = ""
    source: str = ""
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unread:
    """A source that could not be read or run, and why."""

    source: str
    why: str


@dataclass(frozen=True)
class Section:
    """What was written about a host.

    Attributes
    ----------
    host : Host
    slug : str
        Its folder under ``figures`` and ``data``; empty: it is the only one.
    explanation : Explanation
    figures : tuple of str
    left_out : tuple of str
        Figures that this stack does not have, with the reason.
    """

    host: Host
    slug: str
    explanation: Explanation
    figures: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def fits(self) -> bool | None:
        """The verdict on the host."""
        return self.explanation.fits

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        worst = self.explanation.worst
        return {
            "host": self.host.title,
            "source": self.host.source,
            "folder": self.slug,
            "kernel": self.explanation.kernel,
            "fits": self.fits,
            "task": worst.task,
            "peak_bytes": worst.peak_bytes,
            "limit_bytes": worst.limit_bytes,
            "headroom_bytes": worst.headroom_bytes,
            "exact": worst.exact,
            "figures": list(self.figures),
            "left_out": list(self.left_out),
            "missing": dict(self.host.subject.stack.missing),
            "assumed": list(self.host.assumed),
        }


@dataclass(frozen=True)
class Pack:
    """What was written."""

    page: Path
    sections: tuple[Section, ...]
    unread: tuple[Unread, ...] = ()

    @property
    def fits(self) -> bool | None:
        """False when any host overflows, None when any cannot tell or was not read, else True."""
        answers = [section.fits for section in self.sections] + [None] * len(self.unread)
        return False if False in answers else None if None in answers else True


def write_review(
    hosts: Sequence[Host | Unread], folder: Path, *, progress: Callable[[str], None] | None = None
) -> Pack:
    """Write the review of one or more stacks into ``folder``: same inputs, same bytes.

    Parameters
    ----------
    hosts : sequence of Host or Unread
        One section of the page each; a host that its kernel cannot run is one more unread one,
        unless it is the only one.
    folder : Path
        Made when it is not there.
    progress : callable or None
        Called with the host and the figure before it is made.

    Raises
    ------
    BlockstackError
        A single stack that the kernel cannot run, a folder that cannot be written, no jinja2.
    """
    template = _template()
    sections, views, unread = [], [], [one for one in hosts if isinstance(one, Unread)]
    slugs = _slugs(
        [one.title for one in hosts if isinstance(one, Host)] if len(hosts) > 1 else [""]
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for host in (one for one in hosts if isinstance(one, Host)):
            slug = next(slugs)
            try:
                section, view = _section(host, slug, folder, progress)
            except BlockstackError as error:
                if len(hosts) == 1:
                    raise
                unread.append(Unread(host.source, str(error)))
                continue
            sections.append(section)
            views.append(view)
        pack = Pack(folder / "index.html", tuple(sections), tuple(unread))
        write_text(
            pack.page,
            for_xml(
                template.render(
                    views=views,
                    unread=unread,
                    state=_STATES[pack.fits],
                    word=_WORDS[pack.fits],
                    states=_STATES,
                    words=_WORDS,
                    published=published,
                    rows=sorted(views, key=lambda v: v["worst"].headroom_bytes),
                )
            ),
        )
    except OSError as error:
        raise BlockstackError(
            f"cannot be written: {error.strerror or error}", path=str(folder)
        ) from error
    return pack


def _template() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise BlockstackError(
            "the report needs jinja2",
            path="report",
            hint="in the checkout: pip install '.[report]'",
        ) from error
    text = resources.files("blockstack.present.review").joinpath("page.html.j2").read_text()
    return jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(text)


def _slugs(titles: Sequence[str]) -> Iterator[str]:
    """Names of folders: of titles that differ in nothing else, with a number."""
    used: set[str] = set()
    for title in titles:
        slug = base = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")[:60]
        number = 1
        while slug in used or (not slug and len(titles) > 1):
            number += 1
            slug = f"{base or 'host'}-{number}"
        used.add(slug)
        yield slug


def _section(
    host: Host, slug: str, folder: Path, progress: Callable[[str], None] | None
) -> tuple[Section, dict[str, Any]]:
    """A host's files, and what the page shows of it."""
    subject = host.subject
    found = explain(subject.stack, kernel=subject.kernel, workload=subject.workload)
    for part in ("figures", "data"):
        (folder / part / slug).mkdir(parents=True, exist_ok=True)
    drawn, left_out = [], []
    for name in FIGURES:
        if progress is not None:
            progress(f"{host.title}: {name}" if slug else name)
        try:
            drawn.append(_figure(name, subject, folder, slug))
        except BlockstackError as error:
            left_out.append(f"{name}: {error}")
    data = folder / "data" / slug
    write_text(data / "explanation.json", json.dumps(found.to_dict(), indent=1))
    stacks = folder / "data" / slug if slug else folder
    write_text(stacks / "stacks.folded", folded(found.tasks))
    write_text(stacks / "stacks.speedscope.json", speedscope(found.stack, found.tasks))
    section = Section(host, slug, found, tuple(one["name"] for one in drawn), tuple(left_out))
    return section, _view(section, drawn)


def _view(section: Section, figures: Sequence[dict[str, str]]) -> dict[str, Any]:
    host, found, fits = section.host, section.explanation, section.fits
    layers, no_layers = _layers(host.subject)
    worst = found.worst
    why = reasons([t for t in found.tasks if t.fits is not True], len(found.tasks))
    return {
        "id": section.slug or "review",
        "title": host.title,
        "description": host.description,
        "source": host.source,
        "devices": len(host.subject.stack.devices),
        "fits": fits,
        "kernel": found.kernel,
        "verdict": f"{_WORDS[fits]} on {found.kernel}, {found.submission}",
        "sentence": _sentence(worst),
        "reasons": why[:6],
        "worst": worst,
        "in_its_time": in_its_time(worst),
        "tasks": sorted(found.tasks, key=lambda t: t.headroom_bytes),
        "layers": [asdict(row) for row in layers],
        "no_layers": no_layers,
        "kind": host.subject.kind,
        "icicles": list(_icicles(host.subject, found)),
        "icicle_rem": _ICICLE_REM,
        "figures": figures,
        "left_out": section.left_out,
        "assumed": host.assumed,
        "sources_left_out": host.left_out,
        "notes": found.notes,
        "provenance": [(k, v) for k, v in found.provenance.items() if v],
        "stacks": f"data/{section.slug}/stacks" if section.slug else "stacks",
    }


def _sentence(worst: TaskDepth) -> str:
    at_least = "" if worst.exact else "at least "
    room = (
        f"{worst.headroom_bytes:,} bytes left"
        if worst.headroom_bytes >= 0
        else f"{-worst.headroom_bytes:,} bytes too many"
    )
    return (
        f"Deepest: {worst.task}, {at_least}{worst.peak_bytes:,} of {worst.limit_bytes:,} "
        f"bytes, {room}."
    )


def _layers(subject: Subject) -> tuple[tuple[LayersThatFit, ...], str]:
    try:
        return tuple(
            row
            for rule in subject.rules
            for row in max_layers(
                subject.stack,
                subject.kind,
                kernel=subject.kernel,
                submission=rule,
                workload=subject.workload,
            )
        ), ""
    except BlockstackError as error:
        return (), str(error)


def _figure(name: str, subject: Subject, folder: Path, slug: str) -> dict[str, str]:
    figure = draw(name, subject)
    svg = folder / "figures" / slug / f"{name}.svg"
    plots.save(figure.ax, str(svg))
    plots.save(figure.ax, str(svg.with_suffix(".png")))
    data = folder / "data" / slug / f"{name}.json"
    write_text(data, json.dumps(figure.data, indent=1, default=str))
    inline = base64.b64encode(svg.read_bytes()).decode()
    return {
        "name": name,
        "caption": FIGURES[name].shows,
        "svg": str(svg.relative_to(folder)),
        "data": str(data.relative_to(folder)),
        "png": str(svg.with_suffix(".png").relative_to(folder)),
        "source": f"data:image/svg+xml;base64,{inline}",
    }


def _icicles(subject: Subject, found: Explanation) -> Iterator[dict[str, Any]]:
    """The worst task's path under the recursive rule and under a serialised one."""
    paths = {
        rule: found.worst
        if rule == found.submission
        else explain(
            subject.stack, kernel=subject.kernel, submission=rule, workload=subject.workload
        ).worst
        for rule in subject.rules
    }
    total = max(max(t.limit_bytes, t.peak_bytes) for t in paths.values())
    layers = dict.fromkeys(f.layer for t in paths.values() for f in t.path)
    colour = {layer: COLOURS[i % len(COLOURS)] for i, layer in enumerate(layers)}
    for rule, task in paths.items():
        yield {
            "rule": rule,
            "sentence": _sentence(task),
            "blocks": list(_blocks(task, total, colour)),
            "limit": f"{task.limit_bytes / total * _ICICLE_REM:.2f}",
            "limit_bytes": task.limit_bytes,
        }


def _blocks(task: TaskDepth, total: int, colour: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Consecutive frames of a layer as one block, outermost first."""
    depth = 0
    block: list[Frame] = []
    for i, frame in enumerate(task.path):
        block.append(frame)
        if i + 1 < len(task.path) and task.path[i + 1].layer == frame.layer:
            continue
        n_bytes = sum(f.bytes for f in block)
        depth += n_bytes
        yield {
            "name": frame.layer,
            "bytes": n_bytes,
            "colour": colour[frame.layer],
            "ink": ink(colour[frame.layer]),
            "height": f"{n_bytes / total * _ICICLE_REM:.2f}",
            "past": depth > task.limit_bytes,
            "title": "\n".join(f"{f.function}  {f.bytes}" for f in block),
        }
        block = []
