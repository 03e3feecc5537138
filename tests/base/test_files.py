"""Files are written whole or not at all: full disks, kills, two writers, over every output."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blockstack.base.files import write_bytes, write_text, written_whole

MAIN = "configs/raid1.toml"
OLD = b"what stood here before\n"
TRACE = "".join(f"{i * 1000},sda,{'read' if i % 2 else 'write'},{i * 8},8\n" for i in range(2000))
KILLED = """
import os, signal, sys
from blockstack.base.files import written_whole
with written_whole(sys.argv[1]) as out:
    out.write(b"x" * 100_000)
    out.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
WRITER = """
import sys
from blockstack.base.files import write_bytes
for _ in range(60):
    write_bytes(sys.argv[1], sys.argv[2].encode() * 300_000)
"""


def run(code, *words, **options):
    return subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, words)],
        check=False,
        capture_output=True,
        **options,
    )


@pytest.fixture
def file(tmp_path):
    found = tmp_path / "out.svg"
    found.write_bytes(OLD)
    return found


def alone(file):
    return [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_is_there_when_all_of_it_is(file):
    with written_whole(file) as out:
        out.write(b"new")
        assert file.read_bytes() == OLD
    assert file.read_bytes() == b"new" and alone(file)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_what_fails_leaves_the_old_file_and_nothing_else(file, error):
    with pytest.raises(error), written_whole(file) as out:
        out.write(b"half")
        raise error
    assert file.read_bytes() == OLD and alone(file)


def test_modes_links_and_names(tmp_path, file):
    file.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(file.name)
    write_text(link, "ä\n")
    assert link.is_symlink() and file.read_bytes() == "ä\n".encode()
    assert file.stat().st_mode & 0o777 == 0o640
    fresh = tmp_path / ("n" * 255)
    before = os.umask(0o027)
    try:
        write_bytes(fresh, b"")
    finally:
        os.umask(before)
    assert fresh.stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileNotFoundError, match="nowhere/x"):
        write_text(tmp_path / "nowhere/x", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_device_is_written_as_it_is():
    write_text("/dev/null", "x")
    with pytest.raises(OSError, match="No space left"):
        write_text("/dev/full", "x")
    assert Path("/dev/full").is_char_device()


def test_a_kill_leaves_the_old_file(file):
    assert run(KILLED, file).returncode == -signal.SIGKILL
    assert file.read_bytes() == OLD


@pytest.mark.slow
def test_of_two_writers_one_file_stands(file):
    children = [
        subprocess.Popen([sys.executable, "-P", "-c", WRITER, str(file), letter]) for letter in "ab"
    ]
    seen = set()
    while any(child.poll() is None for child in children):
        data = file.read_bytes()
        assert data == OLD or (len(data) == 300_000 and len(set(data)) == 1)
        seen.add(data[:1])
    assert [child.wait() for child in children] == [0, 0]
    assert seen & {b"a", b"b"} and len(file.read_bytes()) == 300_000 and alone(file)


def _no_space():
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out.svg", ("plot", "stack", MAIN, "-o", "{}")),
        ("out.png", ("plot", "stack", MAIN, "-o", "{}")),
        ("out.toml", ("import", "{lsblk}", "-o", "{}")),
        ("out.csv", ("convert", "{trace}", "{}")),
        ("out.csv.gz", ("convert", "{trace}", "{}", "--to", "blockstack")),
        ("out.parquet", ("convert", "{trace}", "{}")),
        ("out.hlog", ("capacity", MAIN, "--bios", "2000", "--hdr", "{}")),
        ("out.json", ("capacity", MAIN, "--bios", "2000", "--perfetto", "{}")),
        ("l.parquet", ("capacity", MAIN, "--bios", "2000", "--parquet", "{}")),
    ],
)
def test_a_full_disk_leaves_every_output_as_it_was(tmp_path, name, words):
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    trace, lsblk = tmp_path / "t.csv", tmp_path / "lsblk.json"
    trace.write_text("time_ns,device,op,sector,nr_sectors\n" + TRACE)
    disks = ",".join(f'{{"name":"sd{c}","size":1073741824,"type":"disk"}}' for c in "abcdefghijkl")
    lsblk.write_text(f'{{"blockdevices":[{disks}]}}')
    out = tmp_path / "out"
    out.mkdir()
    file = out / name
    file.write_bytes(OLD)
    found = run(
        "from blockstack.cli import main; main()",
        *(word.format(file, trace=trace, lsblk=lsblk) for word in words),
        preexec_fn=_no_space,
        text=True,
        env=os.environ | {"MPLCONFIGDIR": str(tmp_path / "mpl"), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert found.returncode == 2 and "File too large" in found.stderr.replace("file", "File"), (
        found.stderr
    )
    assert "Traceback" not in found.stderr
    assert file.read_bytes() == OLD and alone(file)
