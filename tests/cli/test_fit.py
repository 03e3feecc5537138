"""``fit``: fio's results of a drive become its service table."""

import json
import tomllib

import pytest
from typer.testing import CliRunner

from blockstack.cli import app


def result(path, rw, bs, depth, iops):
    n_bytes = iops * (4096 if bs == "4k" else 1 << 20)
    done = {"total_ios": 1000, "iops": iops, "bw_bytes": n_bytes, "lat_ns": {"mean": 1.0}}
    idle = {"total_ios": 0}
    job = {"job options": {"rw": rw, "bs": bs, "iodepth": str(depth)}, "read": done, "write": idle}
    path.write_text(json.dumps({"jobs": [job]}))
    return str(path)


def test_a_curve_becomes_a_table_that_gives_it_back(tmp_path):
    files = [
        result(tmp_path / "one.json", "randread", "4k", 1, 10_000),
        result(tmp_path / "many.json", "randread", "4k", 64, 200_000),
        result(tmp_path / "large.json", "read", "1m", 8, 3_000),
    ]
    out = tmp_path / "device.toml"
    ran = CliRunner().invoke(app, ["fit", *files, "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    service = tomllib.loads(out.read_text())["service"]
    assert service["bandwidth"] == f"{3000 << 20} B/s"
    assert "in flight: 10,000 measured, 1.0" in ran.output or "0.99 of it" in ran.output
    assert 90e3 < int(service["read_latency"].split()[0]) < 100e3
    assert 20 < service["channels"] < 64


@pytest.mark.parametrize("text", ["nonsense", "{}", '{"jobs": [{}]}'])
def test_what_is_no_result_is_refused(tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    ran = CliRunner().invoke(app, ["fit", str(path)])
    assert ran.exit_code == 2 and "is no result of fio" in ran.output
