"""Errors carry path, value and way out; units go both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockstack.base.errors import BlockstackError, ConfigError, UnknownFrame
from blockstack.base.hints import check_keys, did_you_mean, listed
from blockstack.base.units import (
    format_bytes,
    format_count,
    parse_bytes,
    parse_ns,
    parse_rate,
    parse_sectors,
)


def test_error_says_path_message_value_and_hint() -> None:
    error = ConfigError("no such device", path="devices.md0.on[1]", value="sdx", hint="see lsblk")
    assert str(error) == "devices.md0.on[1]: no such device (got 'sdx'); see lsblk"
    assert isinstance(error, BlockstackError)
    assert isinstance(error, ValueError)


def test_error_without_parts() -> None:
    assert str(BlockstackError("broken")) == "broken"
    assert str(BlockstackError("broken", value=None)) == "broken (got None)"


def test_long_values_are_cut() -> None:
    assert len(str(BlockstackError("bad", value="x" * 10_000))) < 200


def test_under_puts_a_file_in_front_and_keeps_the_class() -> None:
    error = UnknownFrame("not in the table", path="iscsi_xmit", hint="at least").under("a.toml")
    assert type(error) is UnknownFrame
    assert str(error) == "a.toml: iscsi_xmit: not in the table; at least"
    assert str(BlockstackError("broken").under("a.toml")) == "a.toml: broken"


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("4 KiB", 4096),
        ("4k", 4096),
        ("4KiB", 4096),
        (" 1.5 GiB ", 3 * 2**29),
        ("100 GB", 10**11),
        ("512", 512),
        (512, 512),
        ("512 B", 512),
        ("1 kB", 1000),
        ("2T", 2**41),
        ("0", 0),
        ("0.5 KiB", 512),
    ],
)
def test_bytes(text: str | int, n_bytes: int) -> None:
    assert parse_bytes(text) == n_bytes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4 KiX",
        "-4 KiB",
        "4 KiB KiB",
        "1e3",
        "0.3 B",
        "nan",
        "9999999 EiB",
        True,
        None,
        1.5,
        [],
        "4 Kib",
        "٤ KiB KiB",
    ],
)
def test_no_bytes(text: object) -> None:
    with pytest.raises(ConfigError, match="x: "):
        parse_bytes(text, "x")  # type: ignore[arg-type]


def test_sectors_are_whole() -> None:
    assert parse_sectors("1 MiB") == 2048
    with pytest.raises(ConfigError, match="512"):
        parse_sectors(1000)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("70 us", 70_000),
        ("70 µs", 70_000),
        ("1.5 ms", 1_500_000),
        ("2 s", 2 * 10**9),
        ("1 ns", 1),
        ("1 min", 60 * 10**9),
        (5, 5),
    ],
)
def test_times(text: str | int, ns: int) -> None:
    assert parse_ns(text) == ns


@pytest.mark.parametrize("text", ["5", "5 h", "0.1 ns", "us", True])
def test_no_times(text: object) -> None:
    with pytest.raises(ConfigError):
        parse_ns(text)  # type: ignore[arg-type]


@given(st.integers(0, 2**63 - 1))
def test_formatted_bytes_read_back(n_bytes: int) -> None:
    assert parse_bytes(format_bytes(n_bytes).replace(",", "")) == n_bytes


def test_formats() -> None:
    assert format_bytes(4096) == "4 KiB"
    assert format_bytes(1000) == "1,000 B"
    assert format_bytes(0) == "0 B"
    assert format_count(2.1e6) == "2.1 M"
    assert format_count(12) == "12 "


def test_suggestions() -> None:
    assert did_you_mean("chunck", ["chunk", "size"], "keys") == 'did you mean "chunk"?'
    assert did_you_mean("zzz", ["chunk", "size"], "keys") == "keys: chunk, size"
    assert did_you_mean(7, [], "keys") == "there are no keys here"
    assert listed(str(i) for i in range(30)).endswith("(30 in all)")
    check_keys(["a"], ["a", "b"], "x")
    with pytest.raises(ConfigError, match=r"x\.c: unknown key"):
        check_keys(["a", "c"], ["a", "b"], "x")


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("3.2 GB/s", 3_200_000_000),
        ("10 Gbit/s", 1_250_000_000),
        ("100 MiB/s", 104_857_600),
        (125_000_000, 125_000_000),
    ],
)
def test_rates(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["10 GB", "fast/s", "10 /s", True, 1.5, "10 Gbit"])
def test_bad_rates(text):
    with pytest.raises(ConfigError):
        parse_rate(text, "bandwidth")
