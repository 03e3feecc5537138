"""What gcc wrote about its own frames: ``.su`` (-fstack-usage), ``.ci`` (-fcallgraph-info=su).

A ``.su`` file has frames and no calls; a ``.ci`` file has both, but not the depth of a call
site: the caller's whole frame stands for it, which is never less than the truth.
"""

import datetime
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blockstack.errors import BlockstackError
from blockstack.kernel.extract.naming import count
from blockstack.kernel.table import FORMAT

_SU = re.compile(r"(?P<file>[^:\t]+):\d+:\d+:(?P<name>[^\t]+)\t(?P<bytes>\d+)\t(?P<how>[\w,]+)\Z")
_NODE = re.compile(r'node: \{ title: "(?P<title>[^"]+)" label: "(?P<label>[^"]*)"')
_EDGE = re.compile(r'edge: \{ sourcename: "(?P<from>[^"]+)" targetname: "(?P<to>[^"]+)"')
_LABEL = re.compile(r"\\n(?P<bytes>\d+) bytes \((?P<how>[\w,]+)\)")
_KINDS = {"static": "static", "dynamic,bounded": "bounded", "bounded": "bounded",
          "dynamic": "dynamic"}
_HINT = "expected lines of gcc -fstack-usage (.su) or -fcallgraph-info=su (.ci)"


class _Rows:
    """Functions and calls as the files come in."""

    def __init__(self) -> None:
        self.functions: dict[str, tuple[str, int, str]] = {}
        self.calls: dict[str, dict[str, int]] = {}
        self.indirect: dict[str, list[int]] = {}

    def add(self, name: str, file: str, size: int, how: str) -> str:
        """File one function; the second of its name is told apart by its file."""
        known = self.functions.get(name)
        key = name if known is None or known[0] == file else f"{name}@{file}"
        self.functions[key] = (file, size, _KINDS.get(how, "dynamic"))
        return key


def from_usage(paths: Sequence[Path], *, kernel: str = "", arch: str = "") -> dict[str, Any]:
    """A frame table from ``.su`` and ``.ci`` files.

    Parameters
    ----------
    paths : sequence of Path
    kernel : str
        Which kernel, for the table's meta.
    arch : {"", "x86_64", "i386"}
        "": i386 when a frame is not a multiple of 8.

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
            raise BlockstackError(f"cannot be read: {error}", path=str(path), hint=_HINT
                                  ) from error
        if path.suffix == ".ci":
            _read_ci(path, text, rows)
        else:
            _read_su(path, text, rows)
    if not rows.functions:
        raise BlockstackError("no function in these files", path=str(paths[0]), hint=_HINT)
    arch = arch or ("x86_64" if all(r[1] % 8 == 0 for r in rows.functions.values()) else "i386")
    return _table(rows, paths, kernel, arch)


def _read_su(path: Path, text: str, rows: _Rows) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        match = _SU.match(line)
        if match is None:
            raise BlockstackError("not a line of stack usage", path=f"{path}:{number}",
                                  value=line, hint=_HINT)
        rows.add(match["name"], match["file"], int(match["bytes"]), match["how"])


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
        "tail": {}, "indirect": dict(sorted(rows.indirect.items()))}
    meta = {"format": FORMAT, "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "kernel": kernel or paths[0].name, "arch": arch,
            "pointer_bytes": 8 if arch == "x86_64" else 4,
            "thread_size": 16384 if arch == "x86_64" else 8192, "compiler": "gcc",
            "method": "gcc's own account (-fstack-usage, -fcallgraph-info): no depth per call "
                      "site, the caller's whole frame stands for it; no tail calls",
            "convention": "frame_bytes as gcc counts it: return address and pushed arguments "
                          "included",
            "provenance": f"{len(paths)} files: " + ", ".join(p.name for p in paths[:8]),
            "counts": count(data)}
    return {"meta": meta} | data
