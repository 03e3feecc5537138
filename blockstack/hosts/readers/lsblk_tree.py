"""lsblk's tree for people, as people paste it: indented, blanks lost, columns in any order.

The columns are told apart by their headings; a row whose TYPE is then no word of lsblk's, or whose
number is none, has lost blanks on the way, and its cells are taken one after the other.
"""

import re
from collections.abc import Mapping
from typing import Any

from blockstack.hosts.model.host import Host, SourceError
from blockstack.hosts.readers.common import cells_of, columns_of
from blockstack.hosts.readers.lsblk import OWN_TYPES, Branch, forest

_BRANCH = re.compile(r"[\s|`│├└─-]")
_MERGED = re.compile("[┌┈┆▶┬]")
#: TYPE of dm devices: the prefix of their UUID in small letters (util-linux lsblk.c get_type)
_DM_TYPES = frozenset(("lvm", "crypt", "mpath", "dm", "vdo", "stratis", "dmraid", "integrity"))
_COLUMNS = frozenset(
    ("MAJ:MIN", "FSTYPE", "MOUNTPOINT", "MOUNTPOINTS", "TYPE", "DISC-GRAN", "PHY-SEC")
)
_PLACE = re.compile(r"(/|\[SWAP\]\Z)")


def is_heading(line: str) -> bool:
    """NAME with a column that only lsblk has: zpool, swapon and losetup print NAME, too."""
    words = set(line.split())
    return "NAME" in words and bool(words & _COLUMNS) and "PRIO" not in words


def read_tree(text: str, host: Host) -> None:
    """``lsblk`` with any columns (``-f``, ``-t``, ``-o SIZE,NAME,TYPE``).

    Each further mount point of a device (util-linux 2.37 and later) is a line of its own.
    """
    lines = [line.expandtabs() for line in text.splitlines() if line.strip()]
    head = next((i for i, line in enumerate(lines) if is_heading(line)), None)
    if head is None:
        raise SourceError("lsblk: no heading with NAME", hint="take it with: lsblk")
    if _MERGED.search(text):
        raise SourceError("lsblk -M: branches that are drawn together", hint="take it without -M")
    indent = len(lines[head]) - len(lines[head].lstrip())
    columns = columns_of(lines[head][indent:])
    found: list[Branch] = []
    trunk: list[int] = []
    for line in lines[head + 1 :]:
        plain = line[indent:] if not line[:indent].strip() else line
        _row(plain, columns, found, trunk)
    forest(found, host)


def _row(
    line: str, columns: Mapping[str, tuple[int, int]], found: list[Branch], trunk: list[int]
) -> None:
    """One line: a device below the trunk, or a further mount point of the last one."""
    left = columns["NAME"][0]
    start = next((i for i in range(left, len(line)) if not _BRANCH.match(line[i])), None)
    if start is None:
        return
    clean = line[:left] + " " * (start - left) + line[start:]
    cells = _placed(cells_of(clean, columns, start if left == 0 else 0))
    if "NAME" not in cells:
        if found and cells.get("MOUNTPOINTS"):
            found[-1][0]["mountpoints"].append(cells["MOUNTPOINTS"])
        return
    level = (start - left) // 2  # two characters per level
    if level > len(trunk):
        raise SourceError("lsblk: a branch without a trunk", value=line[:80])
    if not re.fullmatch(r"\d+:\d+", cells.get("MAJ:MIN", "0:0")) or not _is_type(cells, columns):
        cells = _in_order(line[start:], columns)  # blanks were lost on the way
        kind = cells.get("TYPE", "")
        if not _is_type(cells, columns) and not re.fullmatch("[a-z][a-z0-9-]*", kind):
            raise SourceError(
                "lsblk: TYPE is no word of lsblk's: the columns are out of line",
                value=kind,
                hint="paste it as it was printed, or take: lsblk --json -O -b",
            )
    found.append((_tree_row(cells, columns), trunk[level - 1] if level else None))
    trunk[level:] = [len(found) - 1]


def _is_type(cells: Mapping[str, str], columns: Mapping[str, Any]) -> bool:
    return "TYPE" not in columns or cells.get("TYPE", "") in OWN_TYPES | _DM_TYPES


def _in_order(line: str, columns: Mapping[str, Any]) -> dict[str, str]:
    """Cells one after the other, as many as there are columns; the last one may have blanks."""
    number = re.search(r"\s\d+:\d+\s", line)
    name, rest = (
        (line[: number.start()], line[number.start() :]) if number else (line.partition(" ")[::2])
    )
    cells = [name.strip(), *(c.strip() for c in rest.split(None, len(columns) - 2))]
    return _placed(dict(zip(columns, cells, strict=False)))


def _placed(cells: dict[str, str]) -> dict[str, str]:
    """A place that came under TYPE or FSTYPE is where it is mounted."""
    for name in ("TYPE", "FSTYPE"):
        if _PLACE.match(cells.get(name, "")):
            return cells | {name: "", "MOUNTPOINT": cells[name]}
    return cells


def _tree_row(cells: Mapping[str, str], columns: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {key.lower(): cells.get(key, "") for key in {**columns, **cells}}
    if "mountpoints" in row:
        row["mountpoints"] = [row["mountpoints"]]
    return row
