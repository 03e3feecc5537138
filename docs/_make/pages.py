"""What the tool writes in ``docs/``, and the recorded bounds: ``python -m docs._make.pages``.

Run it in a checkout after frames, kinds or cuts changed, and look at the difference. Parts may be
named: ``config``, ``import``, ``validation``, ``figures``, ``history``.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from blockstack.base.environment import BARE
from blockstack.base.errors import BlockstackError
from blockstack.base.files import write_text
from blockstack.kernel import load_kernel
from blockstack.present import plots
from blockstack.present.plots.sweep import draw_sweep
from blockstack.present.review.figures import FIGURES, Subject, draw
from blockstack.present.style import thumbnail
from blockstack.results.validation import Validation
from blockstack.scenario.config import load_config
from blockstack.sweeps.axes import parse_axis, parse_members
from blockstack.sweeps.run import sweep
from blockstack.validation.files import kernel_for, measured_files, record, recorded, validate
from docs._make import article, history, hosts
from docs._make.config import lines as config_lines

_MARKS = ("<!-- made by python -m docs._make.pages -->", "<!-- end -->")


def write_config(root: Path) -> None:
    """The config reference."""
    write_text(root / "docs/config.md", "\n".join(config_lines()) + "\n")


def write_import(root: Path) -> None:
    """The tables of the page on importing a host."""
    page = root / "docs/import.md"
    write_text(page, hosts.page(page.read_text()))


def write_history(root: Path) -> None:
    """2005 and now, with its pictures."""
    page = "\n".join(history.lines(lambda what: print(f"history: {what}", file=sys.stderr)))
    write_text(root / "docs/2005-and-now.md", page + "\n")
    curve = history.curve(history.RECURSIVE, ("recursive", "fifo"), 24)
    plots.save(plots.growth(curve), str(root / "docs/img/growth.svg"))
    plots.save(plots.tasks(article.reiser4_words()), str(root / "docs/img/reiser4.svg"))


def write_figures(root: Path) -> None:
    """The README's pictures, and the thumbnails that tests compare the seed's figures with."""
    case = load_config(root / "configs/dm-md-iscsi.toml")
    seed = Subject(
        case.stack,
        case.workload,
        load_kernel(case.kernel or ""),
        bios=2000,
        machine=case.machine,
        recorded=recorded,
    )
    golden = root / "tests/golden/figures"
    golden.mkdir(exist_ok=True)
    for name in FIGURES:
        print(f"figures: {name}", file=sys.stderr)
        ax = draw(name, seed).ax
        if name in README_FIGURES:
            plots.save(ax, str(root / f"docs/img/{name}.svg"))
        whole = golden / f"{name}.png"
        plots.save(ax, str(whole))
        thumbnail(whole).save(whole)
    write_sweep(root)


def write_sweep(root: Path) -> None:
    """The picture of the page on design spaces: its first question."""
    axes = (
        parse_members("md0=nvme0n1..nvme23n1:4,8,12,24"),
        parse_axis("devices.md0.chunk=64 KiB,512 KiB"),
        parse_axis("iodepth=1,4,16,64"),
    )
    found = sweep(root / "configs/raid6-nvme.toml", over=axes, measure="capacity", workers=1)
    across = draw_sweep(found, "iodepth", "iops", colour="members.md0", facet="devices.md0.chunk")
    plots.save(across, str(root / "docs/img/sweep.svg"))


def write_validation(root: Path) -> None:
    """The recorded bounds, the summary on the page, and the picture."""
    files: dict[str, Validation] = {}
    for measured in measured_files():
        print(f"validation: {measured.name}", file=sys.stderr)
        files[measured.name] = validate(measured, kernel_for(measured))
    for name, found in files.items():
        kept = record(found)
        rows = ",\n".join(
            f"  {json.dumps(one)}: {json.dumps(pair)}" for one, pair in kept["stacks"].items()
        )
        write_text(
            root / f"blockstack/validation/data/bounds/{name}.json",
            f'{{"table": {json.dumps(kept["table"])}, "stacks": {{\n{rows}\n}}}}\n',
        )
    page = root / "docs/validate.md"
    write_text(page, between_marks(page.read_text(), "\n".join(summary_lines(files))))
    default = [files[one.name] for one in measured_files() if one.environment == BARE]
    plots.save(plots.validated(default), str(root / "docs/img/validate.svg"))


def summary_lines(files: Mapping[str, Validation]) -> Iterator[str]:
    """One row per set; which stacks have no bound."""
    yield (
        "| set | stacks | modelled | bounds that hold | bound: median, p90 | "
        "typical: median, p90 | context not told: median, p90 | call chain: complete, off by |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, r in files.items():
        s = r.summary()
        pairs = [
            f"{s[f'{word}median_ratio']:.3f}, {s[f'{word}p90_ratio']:.3f}"
            for word in ("", "typical_", "untold_")
        ]
        yield (
            f"| {name} | {s['stacks']} | {s['modelled']} | {s['holds']} | "
            + " | ".join(pairs)
            + f" | {s['traced_complete']} of {s['traced']}, "
            f"{100 * s['traced_complete_mean_error']:.2f} % in the mean, at most "
            f"{s['traced_complete_max_error_bytes']} bytes; all: "
            f"{100 * s['traced_mean_error']:.2f} % |"
        )
    refused = sorted({row.name for r in files.values() for row in r.rows if row.refused})
    yield ""
    yield "Refused: " + (", ".join(f"`{name}`" for name in refused) or "none") + "."


def between_marks(text: str, new: str) -> str:
    """``text`` with what stands between the marks replaced.

    Raises
    ------
    BlockstackError
        A mark is missing.
    """
    pattern = re.compile(
        "(?<=" + re.escape(_MARKS[0]) + "\n).*?(?=" + re.escape(_MARKS[1]) + ")", re.DOTALL
    )
    if not pattern.search(text):
        raise BlockstackError(
            "has no marks for what the tool writes", path="docs/validate.md", value=_MARKS
        )
    return pattern.sub(lambda _: new + "\n", text)


README_FIGURES = ("depth",)
#: the figures show the recorded bounds: those are written first
PARTS = {
    "config": write_config,
    "import": write_import,
    "validation": write_validation,
    "figures": write_figures,
    "history": write_history,
}


def main(parts: Sequence[str], root: Path = Path()) -> None:
    """Write the named parts, or all."""
    for part in parts or PARTS:
        if part not in PARTS:
            raise BlockstackError("no such part", value=part, hint="one of: " + ", ".join(PARTS))
        PARTS[part](root)


if __name__ == "__main__":
    main(sys.argv[1:])
