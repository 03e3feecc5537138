"""Frames without machine code: gcc's ``.su`` (-fstack-usage) and ``.ci`` (-fcallgraph-info=su)
files, and lists of ``scripts/checkstack.pl``.

A ``.su`` file has frames and no calls; a ``.ci`` file has both, but not the depth of a call
site: the caller's whole frame stands for it, which is never less than the truth. checkstack.pl
counts the stack pointer's largest subtraction, which is less than the truth: neither pushes nor the
return address are in it.
"""

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.kernel.lists import checkstack_line, looks_like_checkstack, usage_line
from blockstack.kernel.table import FORMAT, FrameTable, count, make_table

_NODE = re.compile(r'node: \{ title: "(?P<title>[^"]+)" label: "(?P<label>[^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "(?P<from>[^"]+)" targetname: "(?P<to>[^"]+)"')
_LABEL = re.compile(r"\\n(?P<bytes>\d+) bytes \((?P<how>[\w,]+)\)")
_KINDS = {
    "static": "static",
    "dynamic,bounded": "bounded",
    "bounded": "bounded",
    "dynamic": "dynamic",
}
_HINT = (
    "expected lines of gcc -fstack-usage (.su), -fcallgraph-info=su (.ci) or of "
    "scripts/checkstack.pl"
)
_GCC = {
    "compiler": "gcc",
    "method": "gcc's own account (-fstack-usage, -fcallgraph-info): no depth per call site, "
    "the caller's whole frame stands for it; no tail calls",
    "convention": "frame_bytes as gcc counts it: return address and pushed arguments included",
}
_CHECKSTACK = {
    "compiler": "unknown",
    "method": "scripts/checkstack.pl: the largest subtraction from the stack pointer; no calls",
    "convention": "frame_bytes without pushes and return address: at least",
}


class _Rows:
    """Functions and calls as the files come in."""

    def __init__(self) -> None:
        self.functions: dict[str, tuple[str, int, str]] = {}
        self.calls: dict[str, dict[str, int]] = {}
        self.indirect: dict[str, list[int]] = {}
        self.varying: list[str] = []
        self.checkstack = self.wide = False

    def add(self, name: str, file: str, size: int, how: str) -> str:
        """File one function; the second of its name is told apart by its file."""
        known = self.functions.get(name)
        key = name if known is None or known[0] == file else f"{name}@{file}"
        self.functions[key] = (file, size, _KINDS.get(how, "dynamic"))
        return key


def from_usage(paths: Sequence[Path], *, kernel: str = "", arch: str = "") -> dict[str, Any]:
    """A frame table from ``.su`` and ``.ci`` files and lists of checkstack.pl.

    Parameters
    ----------
    paths : sequence of Path
    kernel : str
        Which kernel, for the table's meta.
    arch : {"", "x86_64", "i386"}
        "": i386 when a frame is not a multiple of 8, or the addresses of a list are short.

    Raises
    ------
    BlockstackError
        Unreadable, or not of either format.
    """
    rows = _Rows()
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BlockstackError(f"cannot be read: {error}", path=str(path), hint=_HINT) from error
        if path.suffix == ".ci":
            _read_ci(path, text, rows)
        elif looks_like_checkstack(text):
            _read_checkstack(path, text, rows)
        else:
            _read_su(path, text, rows)
    if not rows.functions:
        raise BlockstackError("no function in these files", path=str(paths[0]), hint=_HINT)
    wide = rows.wide if rows.checkstack else all(r[1] % 8 == 0 for r in rows.functions.values())
    arch = arch or ("x86_64" if wide else "i386")
    return _table(rows, paths, kernel, arch)


def usage_table(path: Path) -> FrameTable:
    """The frames of one such file, ready to be looked up.

    Raises
    ------
    BlockstackError
        Unreadable, or of none of these forms.
    """
    return make_table(from_usage([path]), path)


def _read_su(path: Path, text: str, rows: _Rows) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        found = usage_line(line)
        if found is None or found.bytes is None:
            raise BlockstackError(
                "not a line of stack usage", path=f"{path}:{number}", value=line, hint=_HINT
            )
        rows.add(found.name, found.where, found.bytes, found.how)


def _read_checkstack(path: Path, text: str, rows: _Rows) -> None:
    """One line per function; a function with several keeps the largest."""
    rows.checkstack = True
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = checkstack_line(line)
        if found is None:
            raise BlockstackError(
                "not a line of checkstack.pl", path=f"{path}:{number}", value=line, hint=_HINT
            )
        rows.wide |= len(line.split()[0]) > len("0xffffffff")
        if found.bytes is None:
            rows.varying.append(found.name)
            continue
        known = rows.functions.get(found.name)
        if known is None or known[0] != found.where or known[1] < found.bytes:
            rows.add(found.name, found.where, found.bytes, "static")


def _read_ci(path: Path, text: str, rows: _Rows) -> None:
    if not text.startswith("graph:"):
        raise BlockstackError("not a call graph", path=str(path), hint=_HINT)
    keys: dict[str, str] = {}
    unit = re.match(r'graph: \{ title: "([^"]*)"', text)
    file = unit[1] if unit else path.with_suffix(".c").name
    for match in _NODE.finditer(text):
        sizes = _LABEL.search(match["label"])
        name = match["title"].rpartition(":")[2]
        keys[match["title"]] = name
        if sizes is not None:
            keys[match["title"]] = rows.add(name, file, int(sizes["bytes"]), sizes["how"])
    for match in _EDGE.finditer(text):
        caller = keys.get(match["from"], "")
        if caller not in rows.functions:
            continue
        depth = rows.functions[caller][1]
        if match["to"] == "__indirect_call":
            rows.indirect[caller] = [depth]
        else:
            callee = keys.get(match["to"], match["to"].rpartition(":")[2])
            rows.calls.setdefault(caller, {})[callee] = depth


def _table(rows: _Rows, paths: Sequence[Path], kernel: str, arch: str) -> dict[str, Any]:
    files = sorted({r[0] for r in rows.functions.values()})
    numbers = {f: i for i, f in enumerate(files)}
    data: dict[str, Any] = {
        "files": files,
        "functions": {n: [numbers[r[0]], r[1], r[2]] for n, r in sorted(rows.functions.items())},
        "calls": {n: dict(sorted(c.items())) for n, c in sorted(rows.calls.items())},
        "tail": {},
        "indirect": dict(sorted(rows.indirect.items())),
    }
    meta: dict[str, Any] = {
        "format": FORMAT,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "kernel": kernel or paths[0].name,
        "arch": arch,
        "pointer_bytes": 8 if arch == "x86_64" else 4,
        "thread_size": 16384 if arch == "x86_64" else 8192,
        **(_CHECKSTACK if rows.checkstack else _GCC),
        "provenance": f"{len(paths)} files: " + ", ".join(p.name for p in paths[:8]),
        "counts": count(data),
    }
    if rows.varying:  # no figure: functions that the table then lacks
        meta["varying"] = rows.varying
    return {"meta": meta} | data
