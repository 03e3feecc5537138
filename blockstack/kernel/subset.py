"""Cut a whole kernel's frame table down to what the registry's paths can follow.

``python -m blockstack.kernel.subset FULL.json.gz GENERATION OUT.json.gz`` makes the
tables in ``blockstack/kernel/data``. A function is kept with its calls when its source file is
followed by any path of the generation, an anchor names it, or a measured stack that ships has it;
what those call is kept with its frame alone. No row that a shipped kind asks for changes by it.
Modules that FULL lacks are added from the tables ``more/OUT's name+MODULE.json.gz`` beside OUT
(``blockstack kernel extract`` of the module's ``.ko`` of the same package).
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator, Set
from pathlib import Path as File
from typing import Any

from blockstack.base.calls import Edge, Path, is_root
from blockstack.base.files import write_bytes
from blockstack.generations import Generation, generation, in_generation
from blockstack.kernel.interrupts import followed_paths
from blockstack.kernel.names import plain_name
from blockstack.kernel.table import FrameTable, load_table
from blockstack.kinds import KINDS, Calls, Kind

MEASURED = File(__file__).parents[1] / "validation/data"


def paths_of(gen: Generation) -> Iterator[Path]:
    """Every path that any kind takes in a generation."""
    yield from gen.budgets.values()
    yield from followed_paths(gen.name)
    for kind in KINDS.values():
        for entries in (kind.entries, *kind.entry_variants.values()):
            yield from (in_generation(entries, gen.name) or {}).values()
        for calls in calls_of(kind, gen.name):
            yield from calls.paths()


def calls_of(kind: Kind, gen: str) -> Iterator[Calls]:
    for by_generation in (kind.calls, *kind.variants.values()):
        calls = in_generation(by_generation, gen)
        if calls is not None:
            yield calls


def measured_names(table: FrameTable) -> Iterator[str]:
    """Functions on the measured stacks that ship of the table's version and architecture."""
    version = re.search(r"\d+\.\d+", str(table.meta["kernel"]))
    for path in sorted(MEASURED.glob("*.json.gz")):
        data = json.loads(gzip.decompress(path.read_bytes()))
        meta = data["meta"]
        if version and meta["arch"] == table.arch and meta["kernel"].startswith(f"{version[0]}."):
            for stack in data["stacks"].values():
                yield from (name for name, _ in stack.get("block", {}).get("frames", ()))


def followed(table: FrameTable, gen: Generation) -> set[str]:
    """Functions in the source files that a path of the generation follows."""
    files = {file for path in paths_of(gen) for file in path.files} | set(gen.files)
    folders = tuple(file for file in files if file.endswith("/"))
    one_by_one = {file[:-2] for file in files if file.endswith("()")}
    return {
        name
        for name, row in table.functions.items()
        if row[0] in files or row[0].startswith(folders) or plain_name(name) in one_by_one
    }


def named(table: FrameTable, gen: Generation) -> set[str]:
    """Functions that a path or the generation names, and those on the measured stacks that ship."""
    words = {name for path in paths_of(gen) for name in path.names()}
    words |= {gen.submit_link, gen.endio_link, *gen.dispatch}
    words |= {name for edge in gen.indirect_calls for name in (edge.caller, edge.callee)}
    words |= {name for names in gen.other_names.values() for name in names}
    moved = (edge for edges in gen.moved.values() for edge in map(Edge.read, edges))
    words |= {name for edge in moved for name in (edge.caller, edge.callee)}
    words |= {name for root in gen.roots.values() for name in root.entry or ()}
    keys = {table.find(word) for word in words if not is_root(word)}
    keys |= {key for name in measured_names(table) for key in table.named(name)}
    return {key for key in keys if key is not None and key in table.functions}


def called(table: FrameTable, callers: Set[str]) -> set[str]:
    """Functions that ``callers`` call or jump to: the frames at the ends of their paths."""
    return {
        callee
        for name in callers
        for side in (table.calls, table.tail)
        for callee in side.get(name, {})
        if callee in table.functions
    }


def subset(table: FrameTable, gen: Generation) -> dict[str, Any]:
    """The part of ``table`` that the registry needs, as a file of format blockstack-frames-1."""
    kept = followed(table, gen) | named(table, gen)
    names = sorted(kept | called(table, kept))
    files = sorted({table.functions[name][0] for name in names})
    numbers = {file: i for i, file in enumerate(files)}

    def side(rows: Any) -> dict[str, Any]:
        return {name: rows[name] for name in names if name in kept and name in rows}

    meta = dict(table.meta) | {
        "generation": gen.name,
        "subset_of": table.digest,
        "counts": {"functions": len(names), "followed": len(kept), "of": len(table.functions)},
    }
    return {
        "meta": meta,
        "files": files,
        "functions": {n: [numbers[table.functions[n][0]], *table.functions[n][1:]] for n in names},
        "calls": side(table.calls),
        "tail": side(table.tail),
        "indirect": side(table.indirect),
    }


def dump(data: dict[str, Any]) -> bytes:
    """The file's bytes, the same each time."""
    return gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 9, mtime=0)


def main(full: str, gen: str, out: str, column: str = "1") -> None:
    """Cut ``full`` down for a generation and write it."""
    table, name = load_table(File(full), int(column)), File(out).name.removesuffix(".json.gz")
    for more in sorted((File(out).parent / "more").glob(f"{name}+*.json.gz")):
        table = table.joined(load_table(more))
    data = subset(table, generation(gen))
    write_bytes(out, dump(data))
    print(f"{out}: {data['meta']['counts']}, {File(out).stat().st_size:,} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
