"""Axes and spaces: what is written is what varies."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockstack.base.errors import ConfigError
from blockstack.sweeps.axes import Axis, parse_axis, parse_members, parse_values
from blockstack.sweeps.space import grid, listed, read_points, sampled, zipped


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2,4…256", [1, 2, 4, 8, 16, 32, 64, 128, 256]),
        ("1, 2, 4 ... 16", [1, 2, 4, 8, 16]),
        ("10,20…50", [10, 20, 30, 40, 50]),
        ("8,4,2…1", [8, 4, 2, 1]),
        ("1..4", [1, 2, 3, 4]),
        ("64 KiB,512 KiB", ["64 KiB", "512 KiB"]),
        ('["a", "b"],["c"]', [["a", "b"], ["c"]]),
        ("true,false", [True, False]),
        ('"a,b",c', ["a,b", "c"]),
        ("0.5,1.0…2.0", [0.5, 1.0, 1.5, 2.0]),
    ],
)
def test_values(text, values):
    assert parse_values(text) == values


@pytest.mark.parametrize("text", ["1…5", "a,b…z", "1,2,4…255", "1,,2", "3,3…9"])
def test_rows_without_a_next_value(text):
    with pytest.raises(ConfigError):
        parse_values(text)


def test_an_axis_of_the_load():
    assert parse_axis("workload.iodepth=1,2") == Axis("iodepth", (1, 2))
    assert parse_axis("iodepth=1,2").is_load
    assert not parse_axis("devices.md0.chunk=64 KiB").is_load


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("md0=sda..sdd:2,4", ("sda", "sdb", "sdc", "sdd")),
        ("md0=nvme0n1..nvme2n1:1", ("nvme0n1", "nvme1n1", "nvme2n1")),
        ("md0=sda,sdx:2", ("sda", "sdx")),
    ],
)
def test_members(text, names):
    assert parse_members(text).names == names


@pytest.mark.parametrize(
    "text", ["md0=sda..sdd", "md0=sda..sdd:5", "md0=sdd..sda:1", "a:1", "md0=:1"]
)
def test_no_members(text):
    with pytest.raises(ConfigError):
        parse_members(text)


AXES = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(
    lambda sizes: [
        Axis("iodepth" if i == 0 else f"k{i}", tuple(range(n))) for i, n in enumerate(sizes)
    ]
)


@given(AXES)
def test_a_grid_is_the_product(axes):
    space = grid(axes)
    wanted = [
        dict(zip([a.key for a in axes], values, strict=True))
        for values in itertools.product(*(a.values for a in axes))
    ]
    assert [space.settings(i) for i in range(len(space))] == wanted


@given(AXES)
def test_points_that_share_a_case_stand_together(axes):
    space = grid(axes)
    order = list(space.by_case())
    assert sorted(order) == list(range(len(space)))
    cases = [tuple(v for k, v in space.settings(n).items() if k != "iodepth") for n in order]
    assert len([key for key, _ in itertools.groupby(cases)]) == len(set(cases))


@settings(deadline=None)  # the first draw imports scipy
@given(AXES, st.integers(1, 50), st.integers(0, 5), st.sampled_from(["random", "lhs"]))
def test_a_sample_has_different_points(axes, points, seed, sampler):
    if sampler == "lhs":
        pytest.importorskip("scipy")
    space = sampled(axes, points, sampler=sampler, seed=seed)
    rows = [tuple(space.settings(n).values()) for n in space.by_case()]
    assert len(rows) == len(set(rows)) == min(points, len(grid(axes)))
    again = sampled(axes, points, sampler=sampler, seed=seed)
    assert [again.settings(n) for n in again.by_case()] == [
        space.settings(n) for n in space.by_case()
    ]


def test_a_latin_hypercube_meets_every_value():
    pytest.importorskip("scipy")
    axes = [Axis("a", tuple(range(10))), Axis("b", tuple(range(10)))]
    space = sampled(axes, 10, seed=3)
    for key in "ab":
        assert sorted(space.settings(n)[key] for n in range(10)) == list(range(10))


def test_axes_that_go_together():
    space = zipped([Axis("a", (1, 2)), Axis("b", ("x", "y"))])
    assert [space.settings(n) for n in range(2)] == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    with pytest.raises(ConfigError, match="a has 2, b has 1"):
        zipped([Axis("a", (1, 2)), Axis("b", ("x",))])


def test_no_axis_and_two_of_one_key():
    with pytest.raises(ConfigError, match="no axis"):
        grid([])
    with pytest.raises(ConfigError, match="two axes"):
        grid([Axis("a", (1,)), Axis("a", (2,))])
    with pytest.raises(ConfigError, match="points"):
        grid([Axis(str(i), tuple(range(1000))) for i in range(3)])


def test_a_table_of_points(tmp_path):
    file = tmp_path / "points.csv"
    file.write_text("workload.iodepth,devices.md0.chunk\n1,64 KiB\n8,512 KiB\n")
    space = read_points(file)
    assert space.settings(1) == {"iodepth": 8, "devices.md0.chunk": "512 KiB"}
    with pytest.raises(ConfigError, match="no row"):
        listed([])
    with pytest.raises(ConfigError, match="cannot be read"):
        read_points(tmp_path / "absent.csv")
