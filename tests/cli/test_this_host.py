"""``host``: a machine's own answer, from a folder that looks like its root."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from host_sources import PCI, write_sysfs
from typer.testing import CliRunner

from blockstack.base.errors import BlockstackError
from blockstack.cli import app, this_host
from blockstack.kernel import load_kernel
from blockstack.kernel.extract import running

pytestmark = pytest.mark.skipif(not shutil.which("sh"), reason="no POSIX shell here")


def call(*words, **options):
    return CliRunner().invoke(app, [str(w) for w in words], **options)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A disk with a partition and ext4 on it; nothing is kept of it anywhere else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "root"
    write_sysfs(
        root / "sys",
        {
            f"{PCI}/sda": {"dev": "8:0", "size": "209715200", "queue/max_segments": "168"},
            f"{PCI}/sda/sda1": {"dev": "8:1", "size": "2097152", "start": "4096", "partition": "1"},
        },
    )
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text("67 0 8:1 / / rw - ext4 /dev/sda1 rw\n")
    return root


def runs(root, release):
    """What it runs."""
    version = f"Linux version {release} (gcc) #1 SMP x86_64"
    (root / "proc/version").write_text(version + "\n")


def own_release():
    """The release of a kernel that ships."""
    return str(load_kernel("linux-6.1-x86_64").table.meta["kernel"]).split()[1]


def test_a_shipped_build_needs_no_image(root, monkeypatch):
    monkeypatch.setattr(running, "extract", lambda *a, **k: pytest.fail("nothing to extract"))
    runs(root, own_release())
    out = call("host", "--root", root)
    assert out.exit_code == 0, out.output
    assert " fits on linux-6.1-x86_64: the deepest task needs " in out.stdout.splitlines()[0]
    told = json.loads(call("host", "--root", root, "--json").stdout)
    assert told["fits"] is True and told["helps"] == []
    assert told["sentence"].startswith(told["stack"])


def test_another_build_without_an_image_is_said(root):
    runs(root, "6.1.0-1-amd64")
    out = call("host", "--root", root)
    assert "there is no image of 6.1.0-1-amd64" in out.stderr
    assert "another build" in out.stderr


def test_the_kernels_own_frames_are_used(root, monkeypatch):
    release = "6.1.0-1-amd64"
    runs(root, release)
    (root / "boot").mkdir()
    (root / f"boot/vmlinuz-{release}").write_text("image")
    table = load_kernel("linux-6.1-x86_64").table
    files = sorted({row[0] for row in table.functions.values()})
    data = {
        "meta": dict(table.meta) | {"kernel": f"Linux {release} #1 SMP"},
        "files": files,
        "functions": {n: [files.index(r[0]), *r[1:]] for n, r in table.functions.items()},
        "calls": table.calls,
        "tail": table.tail,
        "indirect": table.indirect,
    }
    monkeypatch.setattr(running, "extract", lambda *a, **k: data)
    out = call("host", "--root", root, "--json")
    assert out.exit_code == 0, out.output
    told = json.loads(out.stdout)
    assert told["provenance"]["kernel"] == f"Linux {release} #1 SMP"
    assert len(list(Path(root.parent / "cache").rglob("*.json.gz"))) == 1


def test_what_cannot_tell_says_what_would_help(root, monkeypatch):
    monkeypatch.setattr(this_host.os, "geteuid", lambda: 1000)
    runs(root, "9.9.0-1-amd64")
    out = call("host", "--root", root)
    assert out.exit_code == 3
    assert "cannot tell on " in out.stdout and "Would help: run it as root" in out.stdout


def test_no_devices_is_bad_input(tmp_path):
    (tmp_path / "sys").mkdir()
    out = call("host", "--root", tmp_path)
    assert out.exit_code == 2 and "lsblk -J | blockstack check -" in out.output


def test_check_takes_this_host_beside_others(root, monkeypatch):
    runs(root, own_release())
    real = this_host.gathered
    monkeypatch.setattr(this_host, "gathered", lambda _: real(root))
    told = json.loads(call("check", "--this-host", "configs/none.toml", "--json").stdout)
    assert [row["fits"] for row in told["hosts"]] == [True, None]
    assert call("check").exit_code == 2


def test_own_frames_that_no_generation_covers_are_said(root, monkeypatch):
    runs(root, "6.1.0-1-amd64")

    def refused(*_, **__):
        raise BlockstackError("no generation of the model covers this kernel")

    monkeypatch.setattr(running, "table_of", refused)
    assert "no generation of the model" in call("host", "--root", root).stderr


def test_a_captured_kernel_is_read(root, tmp_path, monkeypatch):
    release = "6.1.0-1-amd64"
    runs(root, release)
    (root / "boot").mkdir()
    (root / f"boot/vmlinuz-{release}").write_text("image")
    asked = []

    def extract(inputs, **_):
        asked.append([path.name for path in inputs])
        raise BlockstackError("is no kernel")

    monkeypatch.setattr(running, "extract", extract)
    text = call("capture", "--with-kernel").stdout
    (tmp_path / "capture.sh").write_text(text)
    archive = tmp_path / "host.tar.gz"
    subprocess.run(
        ["sh", str(tmp_path / "capture.sh"), str(archive)],
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "ROOT": str(root)},
    )
    call("check", archive)
    assert asked == [[f"vmlinuz-{release}"]]
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "xzf", archive, "-C", tmp_path / "unpacked"], check=True)
    call("check", tmp_path / "unpacked")
    assert len(asked) == 2
