"""The points of a design space, each found from its number: no list of them is kept."""

import csv
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from blockstack.base import parquet
from blockstack.base.errors import ConfigError
from blockstack.sweeps.axes import Axis, parse_value, plain_key

Settings = Mapping[str, Any]
SAMPLERS = ("lhs", "random")
#: points of one sweep
MOST_POINTS = 10_000_000


@dataclass(frozen=True)
class Space:
    """Points by number.

    Attributes
    ----------
    axes : tuple of Axis
        In the order of the result's columns.
    groups : tuple of tuple of Settings
        The product of all groups is the grid; axes that go together (zipped, a table's rows) are
        one group.
    picked : tuple of int
        Numbers of the grid's points that a sample took, in its order; empty: all.
    """

    axes: tuple[Axis, ...]
    groups: tuple[tuple[Settings, ...], ...]
    picked: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self) > MOST_POINTS:
            raise ConfigError(
                f"more than {MOST_POINTS:,} points", path="--over", value=f"{len(self):,}"
            )

    def __len__(self) -> int:
        return len(self.picked) or prod(len(group) for group in self.groups)

    def settings(self, number: int) -> dict[str, Any]:
        """The point's key and value of every axis; the last axis varies fastest."""
        rest = self.picked[number] if self.picked else number
        found: list[Settings] = []
        for group in reversed(self.groups):
            rest, i = divmod(rest, len(group))
            found.append(group[i])
        merged = {key: value for part in reversed(found) for key, value in part.items()}
        return {axis.key: merged[axis.key] for axis in self.axes}

    def by_case(self) -> Iterator[int]:
        """Every number once; points that differ only in the load stand together."""
        if self.picked:
            yield from range(len(self))
            return
        loads = {axis.key for axis in self.axes if axis.is_load}
        sizes = [len(group) for group in self.groups]
        strides = [prod(sizes[i + 1 :]) for i in range(len(sizes))]
        order = sorted(range(len(sizes)), key=lambda i: set(self.groups[i][0]) <= loads)
        for n in range(len(self)):
            number, rest = 0, n
            for i in reversed(order):
                rest, digit = divmod(rest, sizes[i])
                number += digit * strides[i]
            yield number


def _alone(axis: Axis) -> tuple[Settings, ...]:
    return tuple({axis.key: value} for value in axis.values)


def _check(axes: Sequence[Axis]) -> None:
    keys = [axis.key for axis in axes]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise ConfigError("two axes of one key", path=twice[0])
    if not axes:
        raise ConfigError("no axis", path="--over", hint="--over iodepth=1,2,4…256")


def grid(axes: Sequence[Axis]) -> Space:
    """Every combination."""
    _check(axes)
    return Space(tuple(axes), tuple(_alone(axis) for axis in axes))


def zipped(axes: Sequence[Axis]) -> Space:
    """The first value of each, the second of each …

    Raises
    ------
    ConfigError
        Axes of different length.
    """
    _check(axes)
    if len({len(axis.values) for axis in axes}) != 1:
        counts = ", ".join(f"{axis.key} has {len(axis.values)}" for axis in axes)
        raise ConfigError("zipped axes have one number of values", path="--zip", value=counts)
    rows = zip(*(axis.values for axis in axes), strict=True)
    keys = [axis.key for axis in axes]
    return Space(tuple(axes), (tuple(dict(zip(keys, row, strict=True)) for row in rows),))


def sampled(axes: Sequence[Axis], points: int, *, sampler: str = "lhs", seed: int = 0) -> Space:
    """So many different points of the grid.

    Parameters
    ----------
    sampler : {"lhs", "random"}
        A Latin hypercube over the axes' values (scipy's `qmc`, the extra ``sweep``), or any.

    Raises
    ------
    ConfigError
        No such sampler; no scipy.
    """
    whole = grid(axes)
    if sampler not in SAMPLERS:
        raise ConfigError("no such sampler", path="--sampler", value=sampler, hint="lhs, random")
    if points < 1:
        raise ConfigError("must be a positive number", path="--sample", value=points)
    if points >= len(whole):
        return whole
    if sampler == "random":
        picked = random.Random(seed).sample(range(len(whole)), points)
        return Space(whole.axes, whole.groups, tuple(picked))
    return Space(
        whole.axes, whole.groups, tuple(_latin([len(a.values) for a in axes], points, seed))
    )


def _latin(sizes: Sequence[int], points: int, seed: int) -> list[int]:
    try:
        from scipy.stats import qmc
    except ImportError as error:
        raise ConfigError(
            "a Latin hypercube needs scipy",
            path="--sampler",
            hint="in the checkout: pip install '.[sweep]', or --sampler random",
        ) from error
    found: dict[int, None] = {}
    for draw in qmc.LatinHypercube(len(sizes), rng=seed).random(points):
        number = 0
        for share, size in zip(draw, sizes, strict=True):
            number = number * size + min(int(share * size), size - 1)
        found[number] = None
    spare = random.Random(seed)
    while len(found) < points:  # cells that two draws share
        found[spare.randrange(prod(sizes))] = None
    return list(found)


def listed(rows: Sequence[Settings], path: str = "points") -> Space:
    """A table of points: every row has the same keys.

    Raises
    ------
    ConfigError
        No row, or one with other keys.
    """
    if not rows:
        raise ConfigError("no row", path=path)
    keys = list(rows[0])
    for i, row in enumerate(rows):
        if list(row) != keys:
            raise ConfigError("a row with other columns", path=f"{path}: row {i + 1}")
    axes = tuple(Axis(key, tuple(row[key] for row in rows)) for key in keys)
    return Space(axes, (tuple(rows),))


def read_points(path: str | Path) -> Space:
    """A table of points from a CSV or Parquet file; its columns are keys.

    Raises
    ------
    ConfigError
        It cannot be read, or has no row.
    """
    file = Path(path)
    try:
        if file.suffix == ".parquet":
            rows = parquet.read_table(str(file)).to_pylist()
        else:
            with file.open(newline="", encoding="utf-8") as stream:
                rows = [
                    {key: parse_value(value) for key, value in row.items() if key is not None}
                    for row in csv.DictReader(stream)
                ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"cannot be read: {error}", path=str(file)) from error
    return listed(
        [{plain_key(key): value for key, value in row.items()} for row in rows], str(file)
    )
