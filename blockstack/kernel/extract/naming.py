"""Unique names for the functions of many binaries, and who calls whom by those names."""

import bisect
from dataclasses import dataclass, field
from typing import Any

from blockstack.kernel.extract.flow import Flow
from blockstack.kernel.extract.image import Image
from blockstack.kernel.extract.scan import Range

#: a callee: an address of the same image, or the name of an undefined symbol
Ref = int | str


@dataclass(slots=True)
class Found:
    """One interpreted function."""

    start: int
    names: list[str]
    is_global: bool
    file: str
    frame: int
    kind: str
    calls: dict[Ref, int]
    tails: dict[Ref, int]
    indirect: list[int]
    tail_pointer: int


@dataclass
class Batch:
    """The functions of one image, and what they are told apart by."""

    tag: str
    found: list[Found]
    keys: dict[int, str] = field(default_factory=dict)
    starts: list[int] = field(default_factory=list)

    def key_at(self, addr: int) -> str | None:
        """The table's key of the function that an address lies in."""
        if addr in self.keys:
            return self.keys[addr]
        i = bisect.bisect_right(self.starts, addr) - 1
        return self.keys[self.starts[i]] if i >= 0 else None


def found_of(image: Image, r: Range, flow: Flow, file: str) -> Found:
    """A function's flow with its callees as references that outlive the image."""
    externs = image.externs

    def refs(rows: dict[int, int]) -> dict[Ref, int]:
        return {externs.get(addr, addr): depth for addr, depth in rows.items()}

    return Found(
        r.start,
        r.names,
        r.is_global,
        file,
        flow.frame,
        flow.kind,
        refs(flow.calls),
        refs(flow.tails),
        sorted(flow.indirect),
        flow.tail_pointer,
    )


def assemble(batches: list[Batch]) -> dict[str, Any]:
    """``files``, ``functions``, ``calls``, ``tail`` and ``indirect`` of a frame table."""
    _name_all(batches)
    files: dict[str, int] = {}
    functions: dict[str, list[int | str]] = {}
    calls: dict[str, dict[str, int]] = {}
    tail: dict[str, dict[str, int]] = {}
    indirect: dict[str, list[int]] = {}
    for batch in batches:
        for f in batch.found:
            jumps = _named(f.tails, batch)
            if f.tail_pointer >= 0:
                jumps["*"] = f.tail_pointer
            called = _named(f.calls, batch)
            row: list[int | str] = [files.setdefault(f.file, len(files)), f.frame, f.kind]
            for key in f.names:  # unique by now; aliases have a row each
                functions[key] = row
                for side, own in ((calls, called), (tail, jumps)):
                    if own:
                        side[key] = own
                if f.indirect:
                    indirect[key] = f.indirect
    order = sorted(files)
    numbers = {files[name]: i for i, name in enumerate(order)}
    done = {n: [numbers[int(r[0])], *r[1:]] for n, r in sorted(functions.items())}
    return {
        "files": order,
        "functions": done,
        "calls": _sorted(calls),
        "tail": _sorted(tail),
        "indirect": dict(sorted(indirect.items())),
    }


def _sorted(rows: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {name: dict(sorted(rows[name].items())) for name in sorted(rows)}


def _named(rows: dict[Ref, int], batch: Batch) -> dict[str, int]:
    out: dict[str, int] = {}
    for ref, depth in rows.items():
        key = ref if isinstance(ref, str) else batch.key_at(ref)
        if key is not None and depth > out.get(key, -1):
            out[key] = depth
    return out


def _name_all(batches: list[Batch]) -> None:
    """The first definition keeps the plain name: exported ones, then those of a known file."""
    taken: set[str] = set()
    everything = [(f, batch) for batch in batches for f in batch.found]
    for f, batch in sorted(
        everything, key=lambda row: (not row[0].is_global, row[0].file.endswith("]"))
    ):
        f.names = _unique(f, batch, taken)
        batch.keys[f.start] = f.names[0]
    for batch in batches:
        batch.starts = sorted(batch.keys)


def _unique(f: Found, batch: Batch, taken: set[str]) -> list[str]:
    keys = []
    for name in dict.fromkeys(f.names):
        key = name
        if key in taken:
            key = f"{name}@{f.file if f.file.endswith('.c') else batch.tag}"
        if key in taken:
            key = f"{key}#{f.start & 0xFFFFFFFF:x}"
        taken.add(key)
        keys.append(key)
    return keys
