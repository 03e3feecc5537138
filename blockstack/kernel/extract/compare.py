"""Two frame tables side by side: what grew on the block path."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from blockstack.kernel.names import plain_name
from blockstack.kernel.table import FrameTable

#: folders that a bio passes through
BLOCK_PATH = ("block/", "drivers/md/", "drivers/block/", "drivers/scsi/", "drivers/nvme/", "fs/")


@dataclass(frozen=True)
class Change:
    """One function in both kernels."""

    name: str
    file: str
    before_bytes: int
    after_bytes: int

    @property
    def delta_bytes(self) -> int:
        """Growth; negative when it shrank."""
        return self.after_bytes - self.before_bytes


@dataclass(frozen=True)
class Comparison:
    """What `compare` found, on the folders it looked at."""

    before: str
    after: str
    changed: tuple[Change, ...]
    equal: int
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``; keys are stable."""
        both = self.equal + len(self.changed)
        return {
            "before": self.before,
            "after": self.after,
            "in_both": both,
            "equal": self.equal,
            "grew": sum(c.delta_bytes > 0 for c in self.changed),
            "shrank": sum(c.delta_bytes < 0 for c in self.changed),
            "changed": [asdict(c) | {"delta_bytes": c.delta_bytes} for c in self.changed],
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
        }


def compare(
    before: FrameTable, after: FrameTable, folders: Sequence[str] = BLOCK_PATH
) -> Comparison:
    """Frames of the functions in ``folders`` that both kernels have.

    A function that only one of them has counts if the other has its file at all: the shipped
    tables are parts of a kernel. Clones (``.isra``, ``.constprop``, ``.part``) are compared with
    whatever the other compiler run made of the function; a name that only several files share is
    told apart by its file.
    The largest changes come first.
    """
    first, second = _frames(before, folders), _frames(after, folders)
    both = sorted(first.keys() & second.keys())
    files = {file for file, _ in first.values()} & {file for file, _ in second.values()}
    rows = [Change(n, second[n][0], first[n][1], second[n][1]) for n in both]
    changed = sorted(
        (r for r in rows if r.delta_bytes), key=lambda r: (-abs(r.delta_bytes), r.name)
    )
    return Comparison(
        _title(before),
        _title(after),
        tuple(changed),
        len(rows) - len(changed),
        _only(first, second, files),
        _only(second, first, files),
    )


def _only(
    here: Mapping[str, tuple[str, int]], there: Mapping[str, tuple[str, int]], files: set[str]
) -> tuple[str, ...]:
    return tuple(sorted(n for n in here.keys() - there.keys() if here[n][0] in files))


def _title(table: FrameTable) -> str:
    return f"{table.meta['kernel']} ({table.arch})"


def _frames(table: FrameTable, folders: Sequence[str]) -> dict[str, tuple[str, int]]:
    """File and largest frame by name without clone suffix, the file added where it must be."""
    plain = {name: plain_name(name) for name in table.functions}
    files: dict[str, set[str]] = {}
    for name, short in plain.items():
        files.setdefault(short, set()).add(table.functions[name][0])
    found: dict[str, tuple[str, int]] = {}
    for name, (file, frame, _) in table.functions.items():
        if file.startswith(tuple(folders)):
            short = plain[name]
            key = short if len(files[short]) == 1 else f"{short}@{file}"
            if key not in found or found[key][1] < frame:
                found[key] = (file, frame)
    return found


def comparison_view(found: Comparison, limit: int = 40) -> Iterable[Table | Text]:
    """The largest changes as a table, and a line that sums up."""
    table = Table(
        "function",
        "file",
        "before",
        "after",
        "change",
        box=None,
        header_style="bold",
        pad_edge=False,
    )
    table.columns[0].no_wrap, table.columns[1].overflow = True, "fold"  # no name is cut
    for column in table.columns[2:]:
        column.justify, column.no_wrap = "right", True
    for row in found.changed[:limit]:
        table.add_row(
            row.name,
            Text(row.file, "dim"),
            f"{row.before_bytes:,}",
            f"{row.after_bytes:,}",
            Text(f"{row.delta_bytes:+,}", "red" if (row.delta_bytes > 0) else "green"),
        )
    yield Text(f"{found.before}  →  {found.after}", "bold")
    if found.changed:
        yield table
    numbers = found.to_dict()
    yield Text(
        f"{numbers['in_both']:,} functions in both: {found.equal:,} equal, "
        f"{numbers['grew']:,} grew, {numbers['shrank']:,} shrank; "
        f"{len(found.only_before):,} only before, {len(found.only_after):,} only after"
        + (f"; {limit} largest shown" if len(found.changed) > limit else "")
    )
