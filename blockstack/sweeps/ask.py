"""Questions to a sweep: what keeps a promise, what is best, what matters."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import ConfigError
from blockstack.base.units import parse_bytes, parse_count, parse_ns
from blockstack.results.sweep import Sweep

#: short names of columns, as fio and planners say them
_SHORT = {
    "p50": "p50_ns",
    "p90": "p90_ns",
    "p99": "p99_ns",
    "p99.9": "p99_9_ns",
    "latency": "latency_ns",
    "bandwidth": "bytes_per_second",
    "headroom": "headroom_bytes",
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": lambda a, b: bool(a <= b),
    ">=": lambda a, b: bool(a >= b),
    "<": lambda a, b: bool(a < b),
    ">": lambda a, b: bool(a > b),
    "=": lambda a, b: bool(a == b),
}
_CONDITION = re.compile(r"\s*([\w.:-]+?)\s*(<=|>=|<|>|=)\s*(.+?)\s*")


@dataclass(frozen=True)
class Promise:
    """A condition on one column: ``p99<=2ms``."""

    column: str
    sign: str
    value: Any

    def kept(self, value: Any) -> bool:
        """A point without a value keeps nothing."""
        return value is not None and _COMPARE[self.sign](value, self.value)


def column_named(word: str) -> str:
    """``p99`` is ``p99_ns``; others are as they are."""
    return _SHORT.get(word, word)


def parse_promise(text: str) -> Promise:
    """``p99<=2ms``, ``iops>=100k``, ``fits`` …

    Raises
    ------
    ConfigError
        No condition, or no number with the column's unit.
    """
    if text.strip() == "fits":
        return Promise("fits", "=", True)
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ConfigError(
            "not a condition", path="--slo", value=text, hint='"p99<=2ms", "iops>=100k", "fits"'
        )
    column, sign, value = column_named(found[1]), found[2], found[3]
    if column.endswith("_ns"):
        return Promise(column, sign, parse_ns(value, "--slo"))
    if column.endswith(("_bytes", "bytes_per_second")):
        return Promise(column, sign, parse_bytes(value, "--slo"))
    try:
        return Promise(column, sign, float(value))
    except ValueError:
        return Promise(column, sign, parse_count(value) if value[0].isdigit() else value)


def keeping(found: Sweep, promises: Iterable[Promise]) -> Sweep:
    """The points that keep every promise.

    Parameters
    ----------
    found : Sweep
    promises : iterable of Promise
        `parse_promise` reads them: ``"p99<=2ms"``.

    Returns
    -------
    Sweep
        In their order; a point with an error keeps nothing.

    Raises
    ------
    ConfigError
        A promise on a column that is not there.
    """
    wanted = list(promises)
    for one in wanted:
        found.column(one.column)
    return found.take(
        i
        for i in range(len(found))
        if not found.data["error"][i] and all(one.kept(found.data[one.column][i]) for one in wanted)
    )


def best(found: Sweep, column: str, *, least: bool) -> Sweep:
    """The point with the least or the greatest value; the first wins a tie; none: empty."""
    values = found.data[found.column(column).name]
    known = [i for i, value in enumerate(values) if value is not None]
    if not known:
        return found.take(())
    pick = min if least else max
    return found.take((pick(known, key=lambda i: values[i]),))


def pareto(found: Sweep, columns: Sequence[str]) -> Sweep:
    """Points that no other point beats in one column without losing in another.

    Parameters
    ----------
    found : Sweep
    columns : sequence of str
        Two or more that have an order; what is better is the column's own (`Column.better`).

    Returns
    -------
    Sweep
        In their order; points without a value in one of the columns are left out.

    Raises
    ------
    ConfigError
        A column without an order, or fewer than two.
    """
    if len(columns) < 2:
        raise ConfigError("needs two columns or more", path="--pareto", value=",".join(columns))
    signs = []
    for name in columns:
        better = found.column(name).better
        if not better:
            raise ConfigError("neither more nor less of it is better", path="--pareto", value=name)
        signs.append(better)
    known = [
        i for i in range(len(found)) if all(found.data[name][i] is not None for name in columns)
    ]
    scores = np.array(
        [[s * float(found.data[n][i]) for n, s in zip(columns, signs, strict=True)] for i in known]
    )
    return found.take(known[i] for i in _front(scores.reshape(-1, len(columns))))


def _front(scores: NDArray[np.float64]) -> list[int]:
    """Rows that no other row passes; more is better. One of equal rows is enough to lose to."""
    kept: list[int] = []
    for i in np.lexsort(-scores.T[::-1]):
        beaten = any(
            bool(np.all(scores[j] >= scores[i]) and np.any(scores[j] > scores[i])) for j in kept
        )
        if not beaten:
            kept.append(int(i))
    return sorted(kept)


@dataclass(frozen=True)
class Share:
    """How much of a column's variance an axis explains.

    ``first`` by itself, ``total`` with what it does together with others (Sobol's indices; of a
    whole grid exact, of a sample an estimate by its group means). ``total`` is None where points
    of a sample have too few neighbours to tell.
    """

    axis: str
    first: float
    total: float | None


def matters(found: Sweep, column: str) -> tuple[Share, ...]:
    """Which axis matters: shares of the column's variance, the greatest first.

    Parameters
    ----------
    found : Sweep
    column : str
        With numbers, or verdicts.

    Returns
    -------
    tuple of Share
        One for each axis, 0 to 1; of a constant column all are 0.

    Raises
    ------
    ConfigError
        No such column, or one without numbers.
    """
    if found.column(column).kind == "string":
        raise ConfigError("has no variance: it is text", path="--matters", value=column)
    known = [i for i, value in enumerate(found.data[column]) if value is not None]
    values = np.array([float(found.data[column][i]) for i in known])
    if len(values) < 2 or not values.var():
        return tuple(Share(axis, 0.0, 0.0) for axis in found.axes)
    keys = {axis: [str(found.data[axis][i]) for i in known] for axis in found.axes}
    whole = _is_grid(keys, len(known))
    shares = []
    for axis in found.axes:
        others = [other for other in found.axes if other != axis]
        rest = list(zip(*(keys[other] for other in others), strict=True)) if others else None
        without = _explained(rest, values) if rest else 0.0
        total = 1.0 - without if whole else None
        shares.append(Share(axis, _explained(keys[axis], values), total))
    return tuple(sorted(shares, key=lambda one: -one.first))


def _is_grid(keys: dict[str, list[str]], points: int) -> bool:
    rows = set(zip(*keys.values(), strict=True))
    size = 1
    for column in keys.values():
        size *= len(set(column))
    return len(rows) == points == size


def _explained(groups: Sequence[Any], values: NDArray[np.float64]) -> float:
    """Variance of the groups' means over all variance."""
    _, number = np.unique(np.array([str(one) for one in groups]), return_inverse=True)
    counts = np.bincount(number)
    means = np.bincount(number, values) / counts
    spread = counts @ (means - values.mean()) ** 2 / len(values)
    return float(spread / values.var())


def most_that_keeps(kept: Callable[[int], bool], low: int, high: int) -> int | None:
    """The greatest whole number in ``low..high`` for which ``kept``; None: not even ``low``.

    By bisection: what is kept at a value is taken to be kept at every smaller one.
    """
    if not kept(low):
        return None
    if kept(high):
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if kept(middle) else (low, middle)
    return low
