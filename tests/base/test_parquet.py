"""Parquet: traces in and out, capacity's latencies; the extra's name where it is missing."""

import builtins
import json
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT
from typer.testing import CliRunner

from blockstack.base.parquet import ParquetError
from blockstack.cli import app
from blockstack.loads.traces.convert import Statement, stated
from blockstack.loads.traces.formats import open_trace
from blockstack.loads.traces.reading import TraceError
from blockstack.workload.trace import Trace

CONFIG = str(ROOT / "configs/nvme-lvm-luks.toml")
CSV = (
    "time_ns,device,op,sector,nr_sectors\n0,sda,read,8,8\n1000000,sdb,write,64,1\n"
    "1500000,sda,flush,0,0\n2000000,sda,fua,64,1\n3000000,sda,discard,0,4096\n"
)
cli = CliRunner()


def load(path, **options):
    with open_trace(path, **options) as file:
        statement = Statement(file)
        return Trace.joined(list(stated(file, statement))), statement


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def pq():
    return pytest.importorskip("pyarrow.parquet", reason="extra: parquet")


def test_there_and_back(csv, tmp_path, pq):
    for source, target in ((csv, "b.parquet"), (tmp_path / "b.parquet", "c.csv")):
        run = cli.invoke(app, ["convert", str(source), str(tmp_path / target)])
        assert run.exit_code == 0, run.output
    assert (tmp_path / "c.csv").read_text() == CSV
    table = pq.read_table(tmp_path / "b.parquet")
    assert table.schema.names == ["time_ns", "device", "op", "sector", "nr_sectors"]
    assert table["op"].to_pylist() == ["read", "write", "flush", "fua", "discard"]
    assert load(tmp_path / "b.parquet")[1].file.form.name == "parquet"
    packed = cli.invoke(app, ["convert", str(csv), str(tmp_path / "b.parquet.gz")])
    assert packed.exit_code == 2 and "leave .gz out" in packed.stderr


def test_chunk_by_chunk(tmp_path, pq, monkeypatch):
    """A row group for each chunk, and no more rows in memory than two of them."""
    lines = "".join(f"{i},sda,read,{i},1\n" for i in range(1000))
    (tmp_path / "a.csv").write_text(CSV.split("\n", maxsplit=1)[0] + "\n" + lines)
    monkeypatch.setattr("blockstack.loads.traces.reading.CHUNK_ROWS", 100)
    assert (
        cli.invoke(app, ["convert", str(tmp_path / "a.csv"), str(tmp_path / "b.parquet")]).exit_code
        == 0
    )
    assert pq.ParquetFile(tmp_path / "b.parquet").num_row_groups == 10
    with open_trace(tmp_path / "b.parquet") as file:
        sizes = [len(chunk) for chunk in file.chunks()]
    assert sizes == [100] * 10


@pytest.mark.slow
def test_bad_rows_and_files(tmp_path, pq):
    import pyarrow as pa

    path = tmp_path / "a.parquet"
    pq.write_table(
        pa.table(
            {
                "time_ns": [0, 1, None, 3],
                "device": ["a"] * 4,
                "sector": [0] * 4,
                "op": ["read", "swim", "read", "write"],
                "nr_sectors": [1, 1, 1, 0],
                "more": [1.0] * 4,
            }
        ),
        path,
    )
    with pytest.raises(TraceError, match=r"a\.parquet: row 2: not a bio.*swim.*--skip-bad"):
        load(path)
    trace, statement = load(path, skip_bad=3)
    assert len(trace) == 1 and statement.file.reading.bad == 3
    pq.write_table(pa.table({"time": [0]}), path)
    with pytest.raises(ParquetError, match=r"lacks columns.*time_ns.*it has time"):
        load(path)
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(ParquetError, match="cannot be read"):
        load(path)
    with pytest.raises(ParquetError, match="cannot be written"):
        from blockstack.loads.traces.columns import save

        save(iter(()), str(tmp_path / "no" / "x.parquet"))
    source = subprocess.run(
        [sys.executable, "-P", "-c", "from blockstack.cli import main; main()", "convert", "-"],
        input=b"PAR1" * 9,
        capture_output=True,
        check=False,
    )
    assert source.returncode == 2 and b"pipe" in source.stderr


@pytest.mark.slow
def test_replay_and_latencies(csv, tmp_path, pq):
    cli.invoke(app, ["convert", str(csv), str(tmp_path / "b.parquet")])
    out = tmp_path / "lat.parquet"
    run = cli.invoke(
        app,
        [
            "capacity",
            CONFIG,
            "--trace",
            str(tmp_path / "b.parquet"),
            "--map",
            "sda=fs",
            "--map",
            "sdb=fs",
            "--parquet",
            str(out),
            "--json",
        ],
    )
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    table = pq.read_table(out).to_pydict()
    for part in ("lat", "clat"):
        assert sum(n for n, p in zip(table["count"], table["part"], strict=True) if p == part) == 5
    whole = np.average(
        [x for x, p in zip(table["latency_ns"], table["part"], strict=True) if p == "lat"],
        weights=[n for n, p in zip(table["count"], table["part"], strict=True) if p == "lat"],
    )
    assert whole == pytest.approx(found["blockstack"]["latency_ns"], rel=1e-3)
    assert set(table["op"]) == {"read", "write", "flush", "fua", "discard"}


def test_the_extra_is_named(csv, tmp_path, monkeypatch):
    plain = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    run = cli.invoke(app, ["convert", str(csv), str(tmp_path / "b.parquet")])
    assert run.exit_code == 2
    assert "pip install '.[parquet]'" in " ".join(run.stderr.split())
