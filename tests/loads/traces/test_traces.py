"""Traces of other tools: one record inside, units stated, bad rows named."""

import bz2
import gzip
import io
import json
import lzma
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import ROOT
from typer.testing import CliRunner

from blockstack.base.errors import BlockstackError
from blockstack.cli import app
from blockstack.loads.traces import reading
from blockstack.loads.traces.convert import Statement, stated
from blockstack.loads.traces.formats import FORMATS, open_trace, recognise
from blockstack.loads.traces.reading import Reading, TraceError, scaled
from blockstack.workload.trace import Trace

SAMPLES = Path(os.environ.get("BLOCKSTACK_SAMPLES", ROOT.parent / "shared/samples"))
cli = CliRunner()


def event(
    time=10, sector=8, n_bytes=4096, action=1 | (1 << 1) << 16, pdu=b"", sign="<", magic=0x65617407
):
    return (
        struct.pack(
            sign + "IIQQIIIIIHH",
            magic,
            1,
            time,
            sector,
            n_bytes,
            action,
            42,
            8 << 20 | 16,
            0,
            0,
            len(pdu),
        )
        + pdu
    )


def vscsi1(time_us, command=0x2A, lbn=64, n_bytes=4096):
    return struct.pack("<IIIHHQQ", 7, n_bytes, 1, command, 0x100, lbn, time_us)


def vscsi2(time_us, command=0x28, lbn=64, n_bytes=4096):
    return struct.pack("<HHIIIQQQ", command, 0x200, 7, n_bytes, 1, lbn, time_us, 5)


def oracle(time, obj, size, after=-1):
    return struct.pack("<IQIq", time, obj, size, after)


BLKPARSE = b"""  8,16   1        1     0.000000000   697  A   W 223490 + 8 <- (8,17) 223490
  8,16   1        2     0.000001500   697  Q   W 223490 + 8 [kjournald]
  8,16   1        3     0.000001829   697  G   W 223490 + 8 [kjournald]
  8,16   1        4     0.000002000   697  P   N [kjournald]
  8,16   1        0     0.000002050     0  m   N cfq697 insert_request
  8,16   1        5     0.000003500   697  Q  FWS [kjournald]
  8,16   1        6     0.000004500   697  Q WFS 100 + 1 [a b [c]]
  8,32   0        7     1.000001500   697  Q   R 0 + 256 [dd]
  8,32   0        8     1.000001600   697  Q   D 4096 + 8 [fstrim]
CPU0 (8,16):
 Reads Queued:           1,      128KiB\t Writes Queued:           2,        5KiB

Total (8,16):
Throughput (R/W): 0KiB/s / 0KiB/s
Events (8,16): 9 entries
Skips: 0 forward (0 -   0.0%)
"""
# format, file, and its rows: (time_ns, device, op, sector, nr_sectors)
CASES = {
    "blkparse": (
        BLKPARSE,
        [
            (0, "8,16", 1, 223490, 8),
            (2000, "8,16", 2, 0, 0),
            (3000, "8,16", 4, 100, 1),
            (10**9, "8,32", 0, 0, 256),
            (10**9 + 100, "8,32", 3, 4096, 8),
        ],
    ),
    "blockstack": (
        b"time_ns,device,op,sector,nr_sectors\n5,a,read,8,8\n9,b,flush,0,0\n",
        [(0, "a", 0, 8, 8), (4, "b", 2, 0, 0)],
    ),
    "iolog": (
        b"fio version 3 iolog\n2 f add\n3 f open\n5 f read 4096 512\n9 f trim 0 1024\n"
        b"9 f datasync 0 0\n10 f close\n",
        [(0, "f", 0, 8, 1), (4000, "f", 3, 0, 2), (4000, "f", 2, 0, 0)],
    ),
    "msr": (
        b"128166372003061629,hm,1,Read,383496192,32768,413\n"
        b"128166372003061630,hm,1,Write,4096,512,1\n",
        [(0, "hm.1", 0, 749016, 64), (100, "hm.1", 1, 8, 1)],
    ),
    "systor17": (
        b"Timestamp,Response,IOType,LUN,Offset,Size\n1455591804.310701000,0.006,R,0,512,"
        b"1024\n1455591804.310700999,,W,3,1024,512\n",
        [(0, "lun0", 0, 1, 2), (-1, "lun3", 1, 2, 1)],
    ),
    "alibaba": (
        b"419,W,8704,4096,1577808144360767\n725,R,0,512,1577808144360768\n",
        [(0, "419", 1, 17, 8), (1000, "725", 0, 0, 1)],
    ),
    "tencent": (
        b"1538323200,4247200,128,1,1058\n1538323201,8,8,0,7\n",
        [(0, "1058", 1, 4247200, 128), (10**9, "7", 0, 8, 8)],
    ),
    "cloudphysics-csv": (
        b"version,time,op,size,lbn\n1,5633898,2a,512,42\n1,5633899,28,1024,1\n",
        [(0, "disk", 1, 42, 1), (10**9, "disk", 0, 1, 2)],
    ),
    "disksim": (
        b"13.191135\t30\t0\t5\t1\n13.2\t3\t8\t1\t0\n",
        [(0, "30", 0, 0, 5), (8865, "3", 1, 8, 1)],
    ),
    "disksim-validate": (
        b"W Hit    4583176   4    663.00000  45422.00000\nR Miss   8  16   607.5  1.0\n",
        [(0, "disk", 1, 4583176, 4), (45422000, "disk", 0, 8, 16)],
    ),
    "mqsim": (
        b"938513000 4 264719034 16 0\n938828000 3 8 16 1\n",
        [(0, "4", 1, 264719034, 16), (315000, "3", 0, 8, 16)],
    ),
    "vscsi1": (vscsi1(7) + vscsi1(9, 0x35, 0, 0), [(0, "disk", 1, 64, 8), (2000, "disk", 2, 0, 0)]),
    "vscsi2": (vscsi2(7) + vscsi2(9), [(0, "disk", 0, 64, 8), (2000, "disk", 0, 64, 8)]),
    "oracleGeneral": (
        oracle(5, 64, 4096) + oracle(6, 8, 512),
        [(0, "disk", 0, 64, 8), (10**9, "disk", 0, 8, 1)],
    ),
    "blktrace": (
        event(0, action=1 << 26 | 1, pdu=b"proc")
        + event(10, pdu=b"1234")
        + event(12, action=7 | 2 << 16)
        + event(30, 0, 0, 1 | 4 << 16)
        + event(40, 16, 512, 1 | (2 | 1 << 15) << 16)
        + event(50, 16, 512, 1 | (2 | 1 << 13) << 16)
        + event(60, 1, 512, 1 | 1 << 16),
        [
            (0, "8,16", 1, 8, 8),
            (20, "8,16", 2, 0, 0),
            (30, "8,16", 4, 16, 1),
            (40, "8,16", 3, 16, 1),
            (50, "8,16", 0, 1, 1),
        ],
    ),
}


def load(path, **options):
    with open_trace(path, **options) as file:
        statement = Statement(file)
        return Trace.joined(list(stated(file, statement))), statement


def rows_of(trace):
    return list(
        zip(
            trace.time_ns.tolist(),
            [trace.devices[d] for d in trace.device],
            trace.op.tolist(),
            trace.sector.tolist(),
            trace.nr_sectors.tolist(),
            strict=True,
        )
    )


def saved(tmp_path, data, name="trace"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_every_format_has_a_case():
    assert set(CASES) | {"parquet"} == {f.name for f in FORMATS}  # test_parquet.py


@pytest.mark.parametrize("name", CASES)
def test_rows_are_recognised_and_read(tmp_path, name):
    data, rows = CASES[name]
    trace, statement = load(saved(tmp_path, data))
    assert statement.file.form.name == name
    assert rows_of(trace) == rows
    assert statement.bios == len(rows) and statement.by_op.sum() == len(rows)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed(tmp_path, pack):
    data, rows = CASES["msr"]
    assert rows_of(load(saved(tmp_path, pack(data)))[0]) == rows
    with pytest.raises(TraceError, match=r"damaged|cannot be read|no bios"):
        load(saved(tmp_path, pack(data * 2000)[:-12]), form="msr")


def test_chunks_do_not_change_the_rows(tmp_path, monkeypatch):
    for name, (data, rows) in CASES.items():
        for size in (1, 2):
            monkeypatch.setattr(reading, "CHUNK_ROWS", size)
            assert rows_of(load(saved(tmp_path, data), form=name)[0]) == rows


def test_big_endian_blktrace(tmp_path):
    assert rows_of(load(saved(tmp_path, event(3, sign=">")))[0]) == [(0, "8,16", 1, 8, 8)]


def test_iolog_2_adds_its_waits_up(tmp_path):
    data = b"fio version 2 iolog\nf add\nf open\nf read 0 512\nf wait 150 0\nf write 512 512\n"
    trace, statement = load(saved(tmp_path, data))
    assert rows_of(trace) == [(0, "f", 0, 0, 1), (150000, "f", 1, 1, 1)]
    assert "waits" in statement.file.reading.notes[0]


def test_malformed_rows_are_named_or_counted(tmp_path):
    path = saved(
        tmp_path,
        b"1,hm,0,Read,0,512,1\n1,hm,0,Raed,0,512,1\n2,hm,0,Read,0,0,1\n3,hm,0,Write,512,512,1\n",
    )
    with pytest.raises(TraceError, match=r"line 2: neither a read nor a write.*--skip-bad"):
        load(path)
    with pytest.raises(TraceError, match=r"line 3: has no sectors.*used up.*line 2"):
        load(path, skip_bad=1)
    trace, statement = load(path, skip_bad=2)
    assert len(trace) == 2
    assert statement.to_dict()["malformed_skipped"] == 2
    assert statement.to_dict()["first_malformed"].startswith("line 2")


def test_what_is_no_bio_is_counted_by_reason(tmp_path):
    _, statement = load(saved(tmp_path, BLKPARSE))
    left = statement.to_dict()["left_out"]
    assert left == {"events of action A": 1, "events of action G": 1, "events of action P": 1}
    none = saved(tmp_path, b"\n".join(x for x in BLKPARSE.split(b"\n") if b" Q " not in x))
    with pytest.raises(TraceError, match="has no Q events"):
        load(none)
    _, statement = load(saved(tmp_path, vscsi1(1) + vscsi1(2, 0) + vscsi1(3, 0x42)))
    assert sum(statement.file.reading.left_out.values()) == 2


def test_bios_inside_sectors_are_rounded_outward(tmp_path):
    trace, statement = load(
        saved(tmp_path, b"fio version 3 iolog\n0 f read 500 100\n1 f read 512 512\n")
    )
    assert rows_of(trace)[0] == (0, "f", 0, 0, 2)
    assert statement.to_dict()["rounded_outward"] == 1


def test_times_are_exact(tmp_path):
    assert scaled("1455591804.310701001", 9) == 1455591804310701001
    assert scaled("-1.5", 3) == -1500
    for word in ("1e3", "1_0", "", "1.x", "٣", "nan"):
        with pytest.raises(ValueError):
            scaled(word, 3)
    _, statement = load(saved(tmp_path, CASES["msr"][0]))
    assert statement.began.isoformat() == "2007-02-22T17:00:00.306162+00:00"
    assert statement.iops == pytest.approx(1e7)


def test_sorted_is_stable_and_starts_at_zero(tmp_path):
    trace, statement = load(saved(tmp_path, CASES["systor17"][0]))
    assert statement.backward == 1
    assert rows_of(trace.sorted()) == [(0, "lun3", 1, 2, 1), (1, "lun0", 0, 1, 2)]


@pytest.mark.parametrize("form", [f for f in FORMATS if f.line], ids=lambda f: f.name)
def test_written_files_read_back(tmp_path, form):
    source = saved(
        tmp_path,
        b"time_ns,device,op,sector,nr_sectors\n0,3,read,8,8\n"
        b"1000000,3,write,64,1\n2000000,3,fua,64,1\n",
    )
    target = tmp_path / "out.gz"
    run = cli.invoke(app, ["convert", str(source), str(target), "--to", form.name, "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout)["fua_written_as_write"] == (form.name != "blockstack")
    trace, statement = load(target)
    assert statement.file.form is form
    fua = 4 if form.name == "blockstack" else 1
    assert [(t, op, s, n) for t, _, op, s, n in rows_of(trace)] == [
        (0, 0, 8, 8),
        (10**6, 1, 64, 1),
        (2 * 10**6, fua, 64, 1),
    ]


def test_convert_states_units_span_and_rate(tmp_path):
    run = cli.invoke(app, ["convert", str(saved(tmp_path, CASES["msr"][0]))])
    assert run.exit_code == 0
    for words in (
        "100 ns since 1601",
        "span: 100 ns, from 2007-02-22 17:00:00 UTC",
        "mean 10 M IOPS",
        "1 read, 1 write",
    ):
        assert words in run.stderr, run.stderr


@pytest.mark.parametrize(
    ("data", "to", "words"),
    [
        (CASES["systor17"][0], "out.iolog", "--sort"),
        (CASES["blkparse"][0], "out.msr", "msr has no flush"),
        (CASES["msr"][0], "out.mqsim", "devices are numbers"),
        (CASES["msr"][0], "out.xyz", "no format has this ending"),
        (CASES["msr"][0], "no/such/dir.csv", "cannot be written"),
        (b"hello\n", "out.csv", "no trace format"),
        (b"", "out.csv", "no trace format"),
    ],
)
def test_convert_refuses_with_a_way_out(tmp_path, monkeypatch, data, to, words):
    monkeypatch.chdir(tmp_path)
    run = cli.invoke(app, ["convert", str(saved(tmp_path, data)), to])
    assert run.exit_code == 2
    assert words in " ".join(run.stderr.split()), run.stderr


def test_a_coarse_clock_is_said(tmp_path):
    rows = "".join(f"{t},0,8,0,7\n" for t in (1538323199, 1538323200) for _ in range(10))
    run = cli.invoke(app, ["convert", str(saved(tmp_path, rows.encode()))])
    assert "coarse clock: 20 bios at 2 times" in run.stderr
    run = cli.invoke(app, ["convert", str(saved(tmp_path, CASES["msr"][0]))])
    assert "coarse clock" not in run.stderr


def test_convert_sorts(tmp_path):
    out = tmp_path / "out.iolog"
    run = cli.invoke(
        app, ["convert", str(saved(tmp_path, CASES["systor17"][0])), str(out), "--sort"]
    )
    assert run.exit_code == 0, run.output
    assert rows_of(load(out)[0]) == [(0, "lun3", 1, 2, 1), (0, "lun0", 0, 1, 2)]


_FORMS = st.sampled_from(list(CASES))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=_FORMS, data=st.data(), skip=st.integers(0, 3))
def test_fuzz_only_blockstack_errors(name, data, skip):
    """Mutations of good files, and any bytes, under every reader."""
    good = bytearray(CASES[name][0])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, max(len(good) - 1, 0)))
        good[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=6))
    raw = data.draw(st.one_of(st.just(bytes(good)), st.binary(max_size=300)))
    form = next(f for f in FORMATS if f.name == name)
    recognise(raw)
    state = Reading(skip_bad=skip)
    try:
        for chunk in form.read(io.BytesIO(raw), state):
            assert (chunk.nr_sectors[chunk.op != 2] > 0).all()
            assert (chunk.sector >= 0).all() and (chunk.op <= 4).all()
            assert int(chunk.device.max()) < len(chunk.devices)
    except BlockstackError:
        pass
    assert state.bad <= skip + 1


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2**50),
            st.sampled_from("ab"),
            st.integers(0, 1),
            st.integers(0, 2**40),
            st.integers(1, 2**20),
        ),
        min_size=1,
    )
)
def test_any_rows_survive_the_record(rows):
    lines = "".join(f"{t},{d},{('read', 'write')[op]},{s},{n}\n" for t, d, op, s, n in rows)
    data = b"time_ns,device,op,sector,nr_sectors\n" + lines.encode()
    form = next(f for f in FORMATS if f.name == "blockstack")
    trace = Trace.joined(list(form.read(io.BytesIO(data), Reading())))
    assert rows_of(trace) == [(t - rows[0][0], *rest) for t, *rest in rows]


EXPECTED = {
    "cloudPhysicsIO-first10000.csv": ("cloudphysics-csv", 10_000),
    "cloudPhysicsIO-first10000.oracleGeneral.bin": ("oracleGeneral", 10_000),
    "cloudPhysicsIO-first10000.vscsi": ("vscsi1", 10_000),
    "cloud_storage-sample.bz2": ("tencent", 50_000),
    "disksim-ascii-head20000.trace": ("disksim", 20_000),
    "disksim-validate-atlas10k.trace": ("disksim-validate", 10_000),
    "mqsim-tpcc-small.trace": ("mqsim", 6_999),
    "msr-cambridge1-sample.csv": ("msr", 1_000),
    "systor17-additional-sample.csv.gz": ("systor17", 999),
    "systor17-traces-sample.csv.gz": ("systor17", 999),
}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the outside corpus of samples")
def test_samples():
    for name, expected in EXPECTED.items():
        trace, statement = load(SAMPLES / "traces" / name)
        assert (statement.file.form.name, len(trace)) == expected
    one, _ = load(SAMPLES / "traces" / "cloudPhysicsIO-first10000.csv")
    two, _ = load(SAMPLES / "traces" / "cloudPhysicsIO-first10000.vscsi")
    assert np.array_equal(one.sector, two.sector) and np.array_equal(one.op, two.op)
    log, _ = load(SAMPLES / "fio" / "iolog-from-debian-fio.txt")
    assert len(log) == 512
