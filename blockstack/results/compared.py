"""Two answers side by side: what changed, and which change mattered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from blockstack.base.errors import BlockstackError
from blockstack.results.result import TaskDepth, check_version
from blockstack.results.typed import typed

_HINT = "give what run --json or explain --json wrote"


@dataclass(frozen=True)
class Side:
    """One of the two: its name, its verdict, its tasks, where its figures come from."""

    name: str
    kernel: str
    submission: str
    fits: bool | None
    tasks: tuple[TaskDepth, ...]
    provenance: Mapping[str, Any]

    @property
    def worst(self) -> TaskDepth:
        """The task with the least headroom."""
        return min(self.tasks, key=lambda t: t.headroom_bytes)


@dataclass(frozen=True)
class Change:
    """One task or layer on both sides; None: the side does not have it."""

    name: str
    a_bytes: int | None
    b_bytes: int | None

    @property
    def change_bytes(self) -> int:
        """B less A; what a side does not have counts nothing."""
        return (self.b_bytes or 0) - (self.a_bytes or 0)


@dataclass(frozen=True)
class Compared:
    """What changed from A to B.

    Attributes
    ----------
    a, b : Side
    headroom : tuple of Change
        Headroom of each task.
    layers, functions : tuple of Change
        Bytes on the worst tasks' paths: what both have first, by the size of the change.
    """

    a: Side
    b: Side
    headroom: tuple[Change, ...]
    layers: tuple[Change, ...]
    functions: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        sides = {
            key: {
                "name": side.name,
                "kernel": side.kernel,
                "submission": side.submission,
                "fits": side.fits,
                "worst_task": side.worst.task,
                "peak_bytes": side.worst.peak_bytes,
                "headroom_bytes": side.worst.headroom_bytes,
            }
            for key, side in (("a", self.a), ("b", self.b))
        }
        rows = {
            key: [asdict(row) | {"change_bytes": row.change_bytes} for row in getattr(self, key)]
            for key in ("headroom", "layers", "functions")
        }
        return sides | rows


def compare_sides(a: Side, b: Side) -> Compared:
    """Lay two answers beside each other."""
    return Compared(
        a,
        b,
        _changes(*({t.task: t.headroom_bytes for t in side.tasks} for side in (a, b))),
        _changes(*(_spent(side.worst, layer=True) for side in (a, b))),
        _changes(*(_spent(side.worst, layer=False) for side in (a, b))),
    )


def _spent(task: TaskDepth, *, layer: bool) -> dict[str, int]:
    spent: dict[str, int] = {}
    for frame in task.path:
        name = frame.layer if layer else frame.function
        spent[name] = spent.get(name, 0) + frame.bytes
    return spent


def _changes(a: Mapping[str, int], b: Mapping[str, int]) -> tuple[Change, ...]:
    rows = [Change(name, a.get(name), b.get(name)) for name in dict.fromkeys((*a, *b))]
    return tuple(
        sorted(rows, key=lambda row: (None in (row.a_bytes, row.b_bytes), -abs(row.change_bytes)))
    )


class _Answer(msgspec.Struct):
    """What a side needs of a run or an explanation."""

    kernel: str
    submission: str
    fits: bool | None
    tasks: Annotated[list[TaskDepth], msgspec.Meta(min_length=1)]
    provenance: dict[str, Any]


class _Runs(msgspec.Struct):
    """What ``run --json`` wrote: the run of each rule, and which is judged."""

    judged: str
    runs: list[Any]


def read_side(path: Path) -> Side:
    """What ``run --json`` or ``explain --json`` wrote; of a run, the judged rule.

    Raises
    ------
    BlockstackError
        Not such a file: the place in it, and what stands there.
    """
    try:
        data = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise BlockstackError(f"cannot be read: {error.strerror}", path=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise BlockstackError(f"is no JSON: {error}", path=str(path), hint=_HINT) from error
    if isinstance(data, dict):
        check_version(data, str(path))
    try:
        found = _judged(data)
        answer = typed(found, _Answer)
    except BlockstackError as error:
        raise BlockstackError(
            error.message, path=f"{path}: {error.path}", value=error.value, hint=_HINT
        ) from error
    return Side(
        path.stem,
        answer.kernel,
        answer.submission,
        answer.fits,
        tuple(answer.tasks),
        answer.provenance,
    )


def _judged(data: Any) -> Any:
    """The run of the judged rule; an explanation as it is."""
    if not isinstance(data, dict) or "runs" not in data:
        return data
    runs = typed(data, _Runs)
    for run in runs.runs:
        if isinstance(run, dict) and run.get("submission") == runs.judged:
            return run
    raise BlockstackError("has no such run", path="judged", value=runs.judged)
