"""The house: ARCHITECTURE.md's table is the truth, the code keeps to it, the public face is pinned.

A row of the table is a place: a folder's own modules, or a file that stands apart from its folder
(a registry above its sub-rooms). A module belongs to the most specific row. Imports that are for
the type checker only, and those inside functions, count.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

import blockstack as bs

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "blockstack"
#: what is read: the package, and what stands beside it
FOLDERS = ("blockstack", "bench", "docs/_make")
#: compiled modules, and where their source lies
COMPILED = {f"blockstack.{name}": "_core/" for name in ("_calls", "_core", "_service", "_types")}
#: beside the house: it may stand on all of it, and is no floor of it
BESIDE = {"bench", "docs"}
MOST_ROOMS, MOST_FLOORS, MOST_LINES = 20, 7, 400


@dataclass(frozen=True)
class Row:
    """One row of the table: a place, what it is for, and the rows that it may import."""

    place: str
    idea: str
    may: frozenset[str]


@cache
def table() -> Mapping[str, Row]:
    """The rows of ARCHITECTURE.md by place."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    start = text.index("| place | one idea | may import |")
    rows: dict[str, Row] = {}
    for line in text[start:].split("\n\n", 1)[0].splitlines()[2:]:
        place, idea, may = (cell.strip() for cell in line.strip("|").split("|"))
        name = place.strip("`")
        assert name not in rows, f"{name} has two rows"
        named = [one for one in re.split(r"[,\s]+", may) if one not in ("", "–")]
        assert len(named) == len(set(named)), f"{name}: an import is named twice"
        rows[name] = Row(name, idea, frozenset(named))
    return rows


@cache
def modules() -> Mapping[str, Path]:
    """Every Python module with code in it by its dotted name."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if path.name != "__init__.py" or path.read_text():
                found[".".join(parts).removesuffix(".__init__")] = path
    return found


def place_of(path: Path) -> str:
    """The file as the table names it: below ``blockstack/``, or from the checkout."""
    inside = path.is_relative_to(PACKAGE)
    return path.relative_to(PACKAGE if inside else ROOT).as_posix()


def folder_of(place: str) -> str:
    return place[: place.rfind("/") + 1]


def row_of(module: str) -> str:
    """The most specific row of a module: its own, or its folder's."""
    if module in COMPILED:
        return COMPILED[module]
    place = place_of(modules()[module])
    return place if place in table() else folder_of(place)


def room_of(row: str) -> str:
    """A row's room: the top-level folder or file."""
    return row.partition("/")[0]


def imports(path: Path) -> Iterator[str]:
    """The project's modules that a file imports, wherever the import stands."""
    known = {*modules(), *COMPILED}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (n if n in known else node.module for n in named)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call):
            yield from _imported_by_name(node)


def _imported_by_name(call: ast.Call) -> Iterator[str]:
    """The module of ``import_module("blockstack.x")`` or ``__import__("blockstack.x")``."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in ("import_module", "__import__") and call.args:
        first = call.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def test_a_module_imported_by_name_is_an_import(tmp_path):
    path = tmp_path / "one.py"
    path.write_text(
        "import importlib\n"
        "def late():\n"
        "    importlib.import_module('blockstack.cli.run')\n"
        "    return __import__('blockstack.kinds')\n"
    )
    assert [*imports(path)][1:] == ["blockstack.cli.run", "blockstack.kinds"]


@cache
def files() -> "nx.DiGraph[str]":
    """Which module imports which."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(modules())
    for module, path in modules().items():
        graph.add_edges_from(
            (module, name) for name in imports(path) if name in modules() or name in COMPILED
        )
    return graph


@cache
def arrows() -> Mapping[tuple[str, str], str]:
    """Which row imports which, and an import that shows it."""
    found: dict[tuple[str, str], str] = {}
    for here, there in sorted(files().edges):
        if row_of(here) != row_of(there):
            found.setdefault((row_of(here), row_of(there)), f"{here} imports {there}")
    return found


def circles(graph: "nx.DiGraph[str]") -> set[frozenset[str]]:
    return {frozenset(c) for c in nx.strongly_connected_components(graph) if len(c) > 1}


def rooms() -> "nx.DiGraph[str]":
    """The arrows between rooms; the files at the package's top are none."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(room_of(row) for row in table() if "/" in row)
    graph.add_edges_from(
        (room_of(a), room_of(b))
        for a, b in arrows()
        if room_of(a) != room_of(b) and "/" in a and "/" in b
    )
    return graph


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("row", table().values(), ids=lambda row: row.place)
def test_a_row_imports_what_it_may_and_no_less(row):
    """An arrow that is not in the table, or is there and not used, is an error."""
    used = {there: why for (here, there), why in arrows().items() if here == row.place}
    beyond = sorted(why for there, why in used.items() if there not in row.may)
    assert not beyond, f"{row.place} may not, says ARCHITECTURE.md: {'; '.join(beyond)}"
    idle = sorted(row.may - set(used))
    assert not idle, f"ARCHITECTURE.md lets {row.place} import {', '.join(idle)}; it does not"


def test_every_module_has_a_row():
    without = sorted(m for m in modules() if row_of(m) not in table())
    assert not without, f"folders without a row in ARCHITECTURE.md: {', '.join(without)}"


def test_every_row_has_a_module_and_an_idea():
    used = {row_of(m) for m in modules()} | set(COMPILED.values())
    assert sorted(set(table()) - used) == []
    assert [row.place for row in table().values() if len(row.idea) < 10] == []


def test_no_circle_of_rows():
    assert not circles(nx.DiGraph(list(arrows())))


def test_no_circle_of_files():
    assert circles(files()) == set()


def test_few_rooms_and_floors():
    """A floor stands on those below it: the longest chain of rooms of the house itself."""
    house = rooms()
    assert len(house) <= MOST_ROOMS, sorted(house)
    house.remove_nodes_from(BESIDE)
    chain = nx.dag_longest_path(house)
    assert len(chain) <= MOST_FLOORS, " > ".join(chain)


def test_only_what_runs_compiled_loops_imports_the_core():
    assert {here for here, there in arrows() if there == "_core/"} == {
        "engine/plan/",
        "engine/capacity/",
        "kernel/",
        "kernel/extract/types/",
    }


def test_modules_stay_small():
    long = {
        str(p.relative_to(ROOT)): n
        for p in modules().values()
        if (n := len(p.read_text().splitlines())) > MOST_LINES
    }
    assert not long


#: folders of tests that stand for no place: what tests compare with, the pages, small inputs
TEST_FOLDERS = {"oracle", "docs", "golden", "corpus", "fuzz", "core"}


def test_tests_mirror_the_house():
    """A test lies in the folder of the room or sub-room that it is about."""
    places = {place.rstrip("/") for place in table() if place.endswith("/")}
    places |= {room_of(place) for place in table() if "/" in place}
    strange = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        folder = path.relative_to(ROOT / "tests").parent.as_posix()
        if folder not in places and folder.partition("/")[0] not in TEST_FOLDERS | {"."}:
            strange.append(path.relative_to(ROOT).as_posix())
    assert not strange, f"in no folder of the house: {', '.join(strange)}"
    loose = {path.name for path in (ROOT / "tests").glob("*.py")}
    assert loose == {"conftest.py", "test_architecture.py"}


#: the only modules beside the rooms
LOOSE = {"__init__", "__main__", "errors", "version"}


def test_no_loose_module_at_the_top():
    assert {path.stem for path in PACKAGE.glob("*.py")} == LOOSE


def test_import_is_light():
    """The heavy libraries are imported where they are used."""
    code = (
        "import sys, blockstack; print(*[m for m in ('matplotlib', 'rich', 'typer', "
        "'elftools', 'iced_x86', 'jinja2') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.parent,
    )
    assert out.stdout.split() == []


def test_public_face_is_pinned():
    assert set(dir(bs)) == {*bs.__all__, "__version__"}
    assert sorted(bs.__all__) == sorted(
        [
            "PROFILES",
            "RULES",
            "Amplification",
            "BlockstackError",
            "CapacityResult",
            "Config",
            "Device",
            "Environment",
            "Explanation",
            "Frame",
            "FrameTable",
            "Kernel",
            "LayersThatFit",
            "LoadSpec",
            "Machine",
            "Platform",
            "Result",
            "Stack",
            "Sweep",
            "TaskDepth",
            "Tornado",
            "Workload",
            "amplification",
            "by_words",
            "capacity",
            "explain",
            "growth",
            "headroom_grid",
            "headroom_levers",
            "iops_levers",
            "journey",
            "keeping",
            "load",
            "load_kernel",
            "matters",
            "max_layers",
            "pareto",
            "plot",
            "prepare",
            "sample_depths",
            "simulate",
            "stack_map",
            "sweep",
            "until_knee",
        ]
    )


def test_public_things_are_documented():
    for name in bs.__all__:
        thing = getattr(bs, name)
        if callable(thing):
            assert thing.__doc__ and len(thing.__doc__) > 20, name
