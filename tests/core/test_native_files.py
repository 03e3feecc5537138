"""The Cython and C files: none leans on one that leans on it, by an include or by a call."""

import re
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent.parent
CORE = ROOT / "_core"
NATIVE = {
    name: [
        CORE / module,
        *(f for folder in ("common", name) for f in sorted((CORE / folder).glob("*.p*"))),
    ]
    for name, module in (("submit", "_core.pyx"), ("events", "_service.pyx"))
} | {"yardstick": sorted((ROOT / "bench" / "yardstick").glob("*.[ch]"))}
LEANS = re.compile(r'^\s*#?include "(?P<include>[\w/.]+)"|^from (?P<cimport>[\w.]+) cimport', re.M)
CALL = re.compile(r"(?<![\w.>])(\w+)\(")
#: a function's name and body's begin, at the left edge
DEFINITION = {
    ".c": re.compile(r"^(?:[\w*]+[ \n*])+?(?!__)(\w+)\([^;{]*\)\s*\{", re.M),
    ".p": re.compile(
        r"^(?:cdef|cpdef|def) (?!enum|struct|union|class|extern)[^=\n(]*?(\w+)\(", re.M
    ),
}
COMMENT = {
    ".c": re.compile(r"/\*.*?\*/", re.S),
    ".p": re.compile(r'""".*?"""|#[^\n]*', re.S),
}


def language(path: Path) -> str:
    return ".c" if path.suffix in {".c", ".h"} else ".p"


def unit(path: Path) -> Path:
    """A C file and the header that declares what it defines are one."""
    return path.with_suffix(".c") if path.with_suffix(".c").exists() else path


def leans(files: list[Path]) -> "nx.DiGraph[Path]":
    """An arrow from a file to each that it includes, or one of whose functions it calls."""
    graph: nx.DiGraph[Path] = nx.DiGraph()
    graph.add_nodes_from(map(unit, files))
    bare = {f: COMMENT[language(f)].sub("", f.read_text()) for f in files}
    owners: dict[str, set[Path]] = {}
    for path, text in bare.items():
        for name in DEFINITION[language(path)].findall(text):
            owners.setdefault(name, set()).add(path)
    for path, text in bare.items():
        for found in LEANS.finditer(text):
            wanted = found["include"] or found["cimport"].replace(".", "/") + ".pxd"
            graph.add_edges_from((unit(path), unit(f)) for f in files if f.match(wanted))
        for name in set(CALL.findall(text)):
            if owners.get(name, set()) - {path}:
                graph.add_edges_from((unit(path), unit(f)) for f in owners[name] - {path})
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    return graph


@pytest.mark.parametrize("files", NATIVE.values(), ids=NATIVE)
def test_no_circle_of_native_files(files):
    graph = leans(files)
    circles = [c for c in nx.strongly_connected_components(graph) if len(c) > 1]
    assert [sorted(p.name for p in c) for c in circles] == []
    assert graph.size() >= len(graph) - 1
