"""Questions to a sweep, against the definitions written out."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockstack.base.errors import ConfigError
from blockstack.results.sweep import ERROR, LESS, MORE, Column, Sweep
from blockstack.sweeps.ask import (
    best,
    keeping,
    matters,
    most_that_keeps,
    pareto,
    parse_promise,
)

COLUMNS = (
    Column("a", "int64"),
    Column("b", "int64"),
    Column("iops", "float64", MORE),
    Column("p99_ns", "int64", LESS),
    ERROR,
)


def made(rows):
    data = {c.name: [row.get(c.name) for row in rows] for c in COLUMNS}
    return Sweep(("a", "b"), COLUMNS, data)


ROWS = st.lists(
    st.fixed_dictionaries(
        {"iops": st.none() | st.integers(0, 5).map(float), "p99_ns": st.none() | st.integers(0, 5)}
    ),
    max_size=12,
)


@given(ROWS)
def test_the_front_is_what_nothing_beats(rows):
    found = made(rows)

    def beats(one, other):
        return (
            one["iops"] >= other["iops"]
            and one["p99_ns"] <= other["p99_ns"]
            and (one["iops"], one["p99_ns"]) != (other["iops"], other["p99_ns"])
        )

    known = [r for r in rows if r["iops"] is not None and r["p99_ns"] is not None]
    wanted = [r for r in known if not any(beats(other, r) for other in known)]
    kept = [{k: r[k] for k in ("iops", "p99_ns")} for r in pareto(found, ["iops", "p99_ns"]).rows()]
    assert kept == wanted


@given(ROWS, st.integers(0, 5))
def test_promises(rows, most):
    found = keeping(made(rows), [parse_promise(f"p99<={most}ns")])
    assert list(found.data["p99_ns"]) == [
        r["p99_ns"] for r in rows if r["p99_ns"] is not None and r["p99_ns"] <= most
    ]


@pytest.mark.parametrize(
    ("text", "column", "sign", "value"),
    [
        ("p99<=2ms", "p99_ns", "<=", 2_000_000),
        ("p99.9 < 500 us", "p99_9_ns", "<", 500_000),
        ("iops>=100k", "iops", ">=", 100_000),
        ("headroom>=1 KiB", "headroom_bytes", ">=", 1024),
        ("fits", "fits", "=", True),
        ("bottleneck=sda media", "bottleneck", "=", "sda media"),
    ],
)
def test_a_promise_is_read(text, column, sign, value):
    one = parse_promise(text)
    assert (one.column, one.sign, one.value) == (column, sign, value)


@pytest.mark.parametrize("text", ["p99", "<=2ms", "p99<=2", "p99<=fast", ""])
def test_no_promise(text):
    with pytest.raises(ConfigError):
        parse_promise(text)


def test_the_best_point():
    found = made([{"iops": 2.0}, {"iops": None}, {"iops": 5.0}, {"iops": 5.0, "a": 1}])
    assert best(found, "iops", least=False).data["a"] == [None]
    assert best(found, "iops", least=True).data["iops"] == [2.0]
    assert len(best(made([]), "iops", least=True)) == 0


def test_variance_of_a_grid_is_split_exactly():
    """y = 3a + b + ab on -1, 1: variances 9, 1 and 1 (Sobol's indices by hand)."""
    rows = [
        {"a": a, "b": b, "iops": float(3 * a + b + a * b)}
        for a, b in itertools.product((-1, 1), repeat=2)
    ]
    one, two = matters(made(rows), "iops")
    assert (one.axis, two.axis) == ("a", "b")
    assert one.first == pytest.approx(9 / 11) and one.total == pytest.approx(10 / 11)
    assert two.first == pytest.approx(1 / 11) and two.total == pytest.approx(2 / 11)
    assert matters(made(rows[:3]), "iops")[0].total is None


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 70))
def test_bisection_finds_the_last_that_keeps(low, more, limit):
    asked = []

    def kept(value):
        asked.append(value)
        return value <= limit

    found = most_that_keeps(kept, low, low + more)
    kept_values = [v for v in range(low, low + more + 1) if v <= limit]
    assert found == (kept_values[-1] if kept_values else None)
    assert len(asked) <= 2 + (more + 1).bit_length()


def test_columns_without_an_order():
    with pytest.raises(ConfigError, match="needs two"):
        pareto(made([]), ["iops"])
    with pytest.raises(ConfigError, match="neither"):
        pareto(made([]), ["iops", "a"])
    with pytest.raises(ConfigError, match="no such column"):
        keeping(made([]), [parse_promise("p50<=1ms")])
    with pytest.raises(ConfigError, match="text"):
        matters(made([]), "error")
