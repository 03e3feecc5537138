"""fio's words become exact shares, sizes and generator constants."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.workload import (
    Columns,
    DrawSpec,
    Workload,
    parse_bs,
    parse_bssplit,
    thresholds,
    zeta,
    zipf_constants,
)

GIB = 2**21  # sectors
WHOLE = 2**32


def shares(**words: object) -> dict[str, Fraction]:
    """Shares above zero by op name."""
    names = ("read", "write", "flush", "discard", "fua")
    workload = Workload(**words)  # type: ignore[arg-type]
    return {n: s for n, s in zip(names, workload.op_shares, strict=True) if s}


@pytest.mark.parametrize(
    ("rw", "want"),
    [
        ("read", {"read": 1}),
        ("randread", {"read": 1}),
        ("write", {"write": 1}),
        ("randwrite", {"write": 1}),
        ("trim", {"discard": 1}),
        ("randtrim", {"discard": 1}),
        ("rw", {"read": Fraction(1, 2), "write": Fraction(1, 2)}),
        ("readwrite", {"read": Fraction(1, 2), "write": Fraction(1, 2)}),
        ("randrw", {"read": Fraction(1, 2), "write": Fraction(1, 2)}),
        ("trimwrite", {"write": Fraction(1, 2), "discard": Fraction(1, 2)}),
        ("randtrimwrite", {"write": Fraction(1, 2), "discard": Fraction(1, 2)}),
    ],
)
def test_words(rw: str, want: dict[str, Fraction]) -> None:
    assert shares(rw=rw) == want


def test_shares_are_exact() -> None:
    assert shares(rw="rw", rwmixread=70) == {"read": Fraction(7, 10), "write": Fraction(3, 10)}
    assert shares(rw="write", fsync=4) == {"write": Fraction(4, 5), "flush": Fraction(1, 5)}
    assert shares(rw="write", fua=0.1) == {"write": Fraction(9, 10), "fua": Fraction(1, 10)}
    # one flush for every 4 writes of either sort
    got = shares(rw="rw", rwmixread=50, fsync=4, fua=0.5)
    assert got["flush"] * 4 == got["write"] + got["fua"]
    assert got["write"] == got["fua"]
    assert shares(rw="write", discard=0.25) == {"write": Fraction(3, 4), "discard": Fraction(1, 4)}
    assert shares(rw="read", fsync=1) == {"read": 1}


@given(
    rw=st.sampled_from(["read", "randwrite", "rw", "trimwrite"]),
    mix=st.integers(0, 100),
    fsync=st.integers(0, 50),
    fua=st.floats(0, 1).map(lambda x: round(x, 4)),
    discard=st.floats(0, 1).map(lambda x: round(x, 4)),
)
def test_shares_sum_to_one(rw: str, mix: int, fsync: int, fua: float, discard: float) -> None:
    workload = Workload(rw=rw, rwmixread=mix, fsync=fsync, fua=fua, discard=discard)
    assert sum(workload.op_shares) == 1
    spec = workload.draw_spec(GIB)
    assert int(spec.op_threshold[4]) == WHOLE - 1
    assert workload.op_shares[spec.op_first] > 0
    assert not any(workload.op_shares[: spec.op_first])
    below = 0
    for op, share in enumerate(workload.op_shares):
        upto = int(spec.op_threshold[op]) + 1 if op >= spec.op_first else 0
        assert abs(Fraction(upto - below, WHOLE) - share) <= Fraction(1, WHOLE)
        assert share or upto == below
        below = upto


def test_thresholds_meet_dyadic_shares_exactly() -> None:
    got = thresholds([Fraction(1, 4), Fraction(0), Fraction(3, 4)])
    assert got.tolist() == [WHOLE // 4 - 1, WHOLE // 4 - 1, WHOLE - 1]
    assert got.dtype == np.uint32
    assert thresholds([Fraction(0), Fraction(1)]).tolist() == [0, WHOLE - 1]


def test_thresholds_refuse_what_cannot_be_drawn() -> None:
    with pytest.raises(ConfigError, match="too small"):
        thresholds([1 - Fraction(1, 2**40), Fraction(1, 2**40)])
    with pytest.raises(ConfigError, match="sum"):
        thresholds([Fraction(1, 2)])
    with pytest.raises(ConfigError, match="too small"):
        Workload(rw="write", fua=1e-12)


def test_one_size() -> None:
    spec = Workload(bs="4 KiB").draw_spec(GIB)
    assert (spec.size_mode, spec.size_sectors.tolist()) == (0, [8])
    assert spec.size_threshold.tolist() == [WHOLE - 1]
    assert spec.size_sectors.dtype == np.uint32
    assert Workload(bs=4096).draw_spec(GIB).align_sectors == 8


def test_range_steps_by_its_low_end() -> None:
    spec = Workload(bs="4 KiB-1 MiB").draw_spec(GIB)
    assert (spec.size_mode, spec.size_lo, spec.size_step, spec.size_count) == (1, 8, 8, 256)
    assert spec.align_sectors == 8
    assert parse_bs("4k-4k").count == 1


def test_bssplit_shares() -> None:
    sizes = parse_bssplit("4k/60:64k/40")
    assert sizes.table == ((8, Fraction(3, 5)), (128, Fraction(2, 5)))
    assert sizes.mean_sectors == 56
    assert parse_bssplit("4k/50:8k:16k/").table[1:] == ((16, Fraction(1, 4)), (32, Fraction(1, 4)))
    assert parse_bssplit("8k:4k").table == ((8, Fraction(1, 2)), (16, Fraction(1, 2)))
    assert parse_bssplit("4k/100:8k/0").table == ((8, Fraction(1)),)
    assert parse_bssplit("4k/50:4k/50").table == ((8, Fraction(1)),)
    assert parse_bssplit("4k/33.5:8k/66.5").table[0][1] == Fraction(335, 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "4k/60",
        "4k/60:8k/50",
        "4k/x",
        "x/100",
        "100/100",
        "4k/-1:8k",
        "4k/60/40",
        5,
        None,
        "0/100",
        "4k//",
    ],
)
def test_bad_bssplit(text: object) -> None:
    with pytest.raises(ConfigError):
        parse_bssplit(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        0,
        "1000",
        "8k-4k",
        "4k-6k",
        "4k,8k",
        "4k-",
        "-4k",
        "4k-8k-16k",
        None,
        True,
        4.0,
        [],
        "2 TiB",
    ],
)
def test_bad_bs(text: object) -> None:
    with pytest.raises(ConfigError):
        parse_bs(text)


@pytest.mark.parametrize(
    "key",
    [
        {"rw": "randwrit"},
        {"rw": 3},
        {"rw": ["read"]},
        {"rwmixread": 101},
        {"rwmixread": True},
        {"fsync": -1},
        {"bios": 0},
        {"bios": "1M"},
        {"seed": -1},
        {"seed": 2**64},
        {"fua": 1.1},
        {"fua": float("nan")},
        {"discard": "1"},
        {"direct": 1},
        {"bs": "4k", "bssplit": "4k/100"},
        {"bssplit": 4},
        {"random_distribution": "pareto:1.5"},
        {"random_distribution": "zipf:1"},
        {"random_distribution": "zipf:0"},
        {"random_distribution": "zipf"},
        {"random_distribution": ["zipf:1.1"]},
        {"rw": "read", "random_distribution": "zipf:1.1"},
        {"size": 0},
        {"size": 100},
        {"offset": "x"},
        {"offset": 1},
    ],
)
def test_bad_words(key: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        Workload(**key)  # type: ignore[arg-type]
    assert caught.value.path in key


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("ioengine", "leave it out"),
        ("iodepth", "leave it out"),
        ("bsrange", "bs ="),
        ("rwmixreed", "rwmixread"),
        ("columns", "keys"),
        ("blocksize", "bs"),
    ],
)
def test_unknown_keys_have_a_way_out(key: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"workload.{key}: unknown key") as caught:
        Workload.from_dict({key: 1})
    assert hint in caught.value.hint


def test_errors_from_a_config_have_the_whole_path() -> None:
    with pytest.raises(ConfigError, match=r"^workload\.rw: unknown word.*did you mean"):
        Workload.from_dict({"rw": "randwrit"})


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"rw": "rw", "rwmixread": 30, "bs": "4 KiB-1 MiB", "seed": 7},
        {
            "rw": "write",
            "bssplit": "4k/60:64k/40",
            "fsync": 3,
            "fua": 0.25,
            "direct": True,
            "offset": "1 MiB",
            "size": "1 GiB",
            "bios": 10,
            "discard": 0.5,
        },
    ],
)
def test_round_trip(words: dict[str, object]) -> None:
    workload = Workload(**words)  # type: ignore[arg-type]
    assert Workload.from_dict(workload.to_dict()) == workload
    assert hash(workload) == hash(Workload(**words))  # type: ignore[arg-type]


def test_bios_are_never_larger_than_the_device() -> None:
    with pytest.raises(ConfigError, match=r"workload\.bs: .*larger than the device"):
        Workload(bs="4 KiB-1 MiB").draw_spec(1024)
    with pytest.raises(ConfigError, match=r"workload\.bs"):
        Workload(bs="1 MiB").draw_spec([GIB, 8])
    with pytest.raises(ConfigError, match=r"workload\.size"):
        Workload(size="2 GiB").draw_spec(GIB)
    with pytest.raises(ConfigError, match=r"workload\.offset: is beyond the end"):
        Workload(offset="1 GiB").draw_spec(GIB)
    with pytest.raises(ConfigError, match="no roots"):
        Workload().draw_spec([])
    Workload(bs="512 KiB").draw_spec(1024)


def test_offset_and_size_narrow_the_device() -> None:
    workload = Workload(offset="1 MiB", size="512 KiB")
    assert workload.offset_sectors == 2048
    assert workload.draw_spec([GIB, 8192]).capacity_sectors.tolist() == [1024, 1024]
    assert Workload(offset="1 MiB").draw_spec(GIB).capacity_sectors.tolist() == [GIB - 2048]


def test_sequential_bios_fit_and_go_on() -> None:
    spec = Workload(rw="write", bs="64 KiB").draw_spec(1000)
    assert (spec.pattern, spec.stride_sectors, spec.span_sectors) == (0, 128, 896)
    sectors = [i * spec.stride_sectors % spec.span_sectors for i in range(8)]
    assert sectors == [0, 128, 256, 384, 512, 640, 768, 0]
    mixed = Workload(rw="read", bs="4 KiB-1 MiB").draw_spec(GIB)
    assert mixed.stride_sectors == 1032  # mean 1028, in whole alignments
    assert mixed.span_sectors % 8 == 0


@given(
    bs=st.sampled_from(["512", "4k", "4k-64k", "12k-48k"]),
    capacity=st.integers(128, 5000),
    i=st.integers(0, 2**40),
)
def test_sequential_starts_inside(bs: str, capacity: int, i: int) -> None:
    workload = Workload(rw="read", bs=bs)
    spec = workload.draw_spec(capacity)
    start = i * spec.stride_sectors % spec.span_sectors
    assert start + workload.sizes.high_sectors <= capacity
    assert start % 1 == 0


def test_seed() -> None:
    assert Workload(seed=5).draw_spec(GIB).seed == 5
    assert Workload(seed=5).draw_spec(GIB, seed=9).seed == 9
    with pytest.raises(ConfigError, match="seed"):
        Workload().draw_spec(GIB, seed=-1)


@pytest.mark.parametrize("theta", [0.2, 0.5, 0.99, 1.01, 1.1, 2.0, 5.0])
@pytest.mark.parametrize("n", [1, 2, 10_000, 10_001, 10_100, 300_000])
def test_zeta_is_the_exact_sum(n: int, theta: float) -> None:
    exact = math.fsum(k**-theta for k in range(1, n + 1))
    assert zeta(n, theta) == pytest.approx(exact, rel=1e-13)


def test_zeta_goes_on_beyond_any_loop() -> None:
    assert zeta(2**45, 2.0) == pytest.approx(math.pi**2 / 6, rel=1e-12)
    n = 2**40  # zeta(1/2) from a table; the partial sum is 2 sqrt(n) + zeta(1/2) + ...
    assert zeta(n, 0.5) == pytest.approx(2 * n**0.5 - 1.4603545088095868 + 0.5 * n**-0.5, rel=1e-13)


@pytest.mark.parametrize("theta", [0.5, 0.9, 1.2, 2.5])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 1_000_000])
def test_zipf_constants_keep_ranks_inside(n: int, theta: float) -> None:
    zetan, eta, alpha = zipf_constants(n, theta)
    assert all(map(math.isfinite, (zetan, eta, alpha)))
    for u in (0.0, 0.3, 0.7, 1 - 2**-53):
        if n > 2 and u * zetan >= 1 + 0.5**theta:
            assert 0 <= n * (eta * u - eta + 1) ** alpha <= n * (1 + 1e-9)


def test_zipf_ranks_follow_the_law() -> None:
    """The share of the most frequent block is 1 / zetan; the second's is 2**-theta of it."""
    theta, n = 1.2, 1000
    zetan, eta, alpha = zipf_constants(n, theta)
    u = np.random.default_rng(1).random(200_000)
    uz = u * zetan
    rank = np.where(
        uz < 1,
        0,
        np.where(uz < 1 + 0.5**theta, 1, (n * (eta * u - eta + 1) ** alpha).astype(np.int64)),
    )
    count = np.bincount(np.minimum(rank, n - 1), minlength=n) / len(u)
    assert count[0] == pytest.approx(1 / zetan, abs=0.005)
    assert count[1] == pytest.approx(0.5**theta / zetan, abs=0.005)


def test_zipf_spec() -> None:
    spec = Workload(rw="randread", random_distribution="zipf:1.1").draw_spec(GIB)
    assert (spec.pattern, spec.zipf_n, spec.zipf_theta) == (2, GIB // 8, 1.1)
    assert Workload(rw="randread").draw_spec(GIB).pattern == 1


def test_spec_has_the_engines_fields() -> None:
    arrays = pytest.importorskip("blockstack.engine.plan.arrays")
    assert DrawSpec._fields == arrays.DrawSpec._fields


def test_columns() -> None:
    workload = Workload.from_columns([0, 1, 2], [0, 8, 0], [8, 16, 0])
    columns = workload.columns
    assert columns is not None
    assert workload.bios == len(columns) == 3
    assert [a.dtype for a in (columns.op, columns.sector, columns.nr_sectors, columns.root)] == [
        np.uint8,
        np.int64,
        np.int64,
        np.int32,
    ]
    assert columns.root.tolist() == [0, 0, 0]
    assert workload == Workload.from_columns(np.array([0, 1, 2]), [0, 8, 0], [8, 16, 0], [0, 0, 0])
    columns.check_capacity(np.array([24]))
    with pytest.raises(ConfigError, match=r"sector\[1\]: ends beyond"):
        columns.check_capacity(np.array([23]))
    with pytest.raises(ConfigError, match="columns"):
        workload.draw_spec(GIB)
    with pytest.raises(ConfigError, match="columns"):
        workload.to_dict()


@pytest.mark.parametrize(
    "rows",
    [
        ([], [], []),
        ([5], [0], [8]),
        ([0], [-1], [8]),
        ([0], [0], [0]),
        ([2], [8], [0]),
        ([2], [0], [8]),
        ([0, 1], [0], [8]),
        ([0.5], [0], [8]),
        ("x", [0], [8]),
        ([[0]], [0], [8]),
        ([0], [0], [2**31]),
        ([0], [2**62], [8]),
        ([0], [2**70], [8]),
        ([0], [0], [8], [-1]),
        ([0], [0], [8], [0, 1]),
        ([[0], [1, 2]], [0], [8]),
    ],
)
def test_bad_columns(rows: tuple[object, ...]) -> None:
    with pytest.raises(ConfigError, match="workload"):
        Workload.from_columns(*rows)


def test_columns_name_the_missing_root() -> None:
    columns = Workload.from_columns([0, 0], [0, 0], [8, 8], [0, 3]).columns
    assert isinstance(columns, Columns)
    with pytest.raises(ConfigError, match=r"root\[1\]: no such root"):
        columns.check_capacity(np.array([100, 100]))


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text("zipf:k/4-. é\0", max_size=12)
    | st.dates()
    | st.sampled_from(["4 KiB-1 MiB", "zipf:1.1", "randrw", "4k/60:64k/40"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from([*Workload.__dataclass_fields__, "ioengine", "x"]), junk, max_size=4
    ),
    st.integers(1, 10**6),
)
def test_nothing_but_blockstack_errors(table: dict[str, object], capacity: int) -> None:
    try:
        spec = Workload.from_dict(table).draw_spec(capacity)
    except BlockstackError:
        return
    assert spec.capacity_sectors.min() > 0
