"""Inputs that broke something once, each with its right answer (tests/corpus/hostile)."""

import gzip
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
from places import ROOT
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.hosts.build import build
from blockstack.hosts.capture import script
from blockstack.hosts.sniff import read_sources

CORPUS = ROOT / "tests/corpus/hostile"
MAIN = str(ROOT / "configs/raid1.toml")
#: what a terminal acts on
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def one_line(found):
    """Refused: bad input, said in one line on standard error."""
    return found.exit_code == 2 and len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["run", "capacity"])
@pytest.mark.parametrize("name", ["bigbio.toml", "bigbio26.toml"])
def test_a_bio_without_end_is_refused_before_it_starts(name, command):
    assert one_line(call(command, CORPUS / name, "--bios", "10"))


@pytest.mark.parametrize("command", ["run", "capacity"])
def test_a_diamond_is_bounded_or_refused(command):
    found = call(command, CORPUS / "dia17.toml", "--bios", "10")
    assert one_line(found) or (command == "run" and found.exit_code in (0, 1, 3)), found.output


@pytest.mark.parametrize("command", ["run", "explain", "capacity"])
def test_a_long_name_is_no_kernel(command):
    found = call(command, CORPUS / "long-kernel.toml")
    assert one_line(found) and "kernel" in found.stderr


@pytest.mark.parametrize("command", [("explain",), ("run", "--bios", "10")])
def test_a_name_with_escapes_is_harmless_on_a_terminal(command):
    found = call(command[0], CORPUS / "esc-name.toml", *command[1:])
    assert found.exit_code in (0, 1, 3) and not ACTS.search(found.output)


def test_a_release_with_escapes_is_harmless(tmp_path):
    shutil.copytree(CORPUS / "standin-kernel", tmp_path / "host")
    shutil.copy(CORPUS / "esc-uname.txt", tmp_path / "host/uname")
    (tmp_path / "host").chmod(0o755)
    for words in (("explain",), ("check",), ("check", "--csv"), ("import",)):
        found = call(words[0], tmp_path / "host", *words[1:])
        assert found.exit_code in (0, 1, 2, 3) and not ACTS.search(found.output), words


def test_a_host_is_judged_on_the_shipped_kernel_of_its_series():
    found = json.loads(call("explain", CORPUS / "deb13", "--json").stdout)
    assert found["kernel"] == "linux-6.12-x86_64"
    assert any("6.12.41" in note for note in found["notes"])


@pytest.mark.parametrize(
    "uname",
    [
        "Linux h 2.6.18-8.el5 #1 SMP x86_64 GNU/Linux",
        "Linux h 2.6.32-754.el6.x86_64 #1 SMP x86_64 GNU/Linux",
        "Linux h 3.10.0-1160.el7.x86_64 #1 SMP x86_64 GNU/Linux",
        "Linux h 6.1.0-9-arm64 #1 SMP aarch64 GNU/Linux",
        "Linux h 6.1.0-9-powerpc64le #1 SMP ppc64le GNU/Linux",
        "Linux h 6.1.0-9-s390x #1 SMP s390x GNU/Linux",
    ],
    ids=lambda text: text.split()[2],
)
def test_a_host_of_another_series_or_architecture_cannot_be_told(tmp_path, uname):
    """The same devices overflow by thousands of bytes on a kernel that recurses."""
    host = tmp_path / "host"
    shutil.copytree(CORPUS / "standin-kernel", host)
    host.chmod(0o755)
    (host / "uname").chmod(0o644)
    (host / "uname").write_text(uname + "\n")
    found = call("explain", host, "--json")
    assert found.exit_code == 3 and json.loads(found.stdout)["fits"] is None


@pytest.mark.parametrize("name", sorted(p.name for p in CORPUS.glob("result-*")))
def test_a_damaged_result_is_refused_by_place(tmp_path, name):
    file = tmp_path / "r.json"
    file.write_bytes(gzip.decompress((CORPUS / name).read_bytes()))
    for words in ((MAIN,), (file, "--json")):
        found = call("compare", file, *words)
        assert found.exit_code == 2, found.output
        said = found.stderr.strip() or found.stdout
        assert "expected `" in said or "is no JSON" in said


def test_a_damaged_trace_is_refused():
    pytest.importorskip("pyarrow")
    found = call("capacity", MAIN, "--trace", CORPUS / "damaged.parquet")
    assert found.exit_code == 2 and "cannot be read" in found.output


def capture(folder, tools, **env):
    """The capture with the tools of a folder of the corpus before the system's."""
    bin_ = folder / "bin"
    shutil.copytree(tools, bin_)
    for tool in (bin_, *bin_.iterdir()):
        tool.chmod(0o755)
    (folder / "capture.sh").write_text(script(mask=True))
    words = ["sh", str(folder / "capture.sh"), str(folder / "x.tar.gz")]
    path = f"{bin_}:{os.defpath}"
    subprocess.run(words, check=True, capture_output=True, env={"PATH": path, **env}, timeout=60)
    with tarfile.open(folder / "x.tar.gz") as tar:
        return {
            m.name: tar.extractfile(m).read().decode(errors="replace") for m in tar if m.isfile()
        }


@pytest.mark.parametrize("env", [{}, {"NOJSON": "1"}], ids=["json", "pairs"])
def test_a_masked_capture_holds_no_identifier_and_no_key(tmp_path, env):
    texts = capture(tmp_path, CORPUS / "mask-leaks", **env)
    leaks = [(n, w) for n, t in texts.items() for w in re.findall(r"\S*SECRET\S*", t)]
    assert leaks == []
    whole = "".join(texts.values())
    for secret in ("0a1b2c3d", "3600508b400105e2", "ROOTHASH", "SALT", "10.0.0.3", "vm-vg"):
        assert secret not in whole, secret


def test_two_masked_crypt_devices_stay_two(tmp_path):
    texts = capture(tmp_path, CORPUS / "mask-luks")
    lsblk = json.loads(texts["blockstack-capture/lsblk_--json.json"])["blockdevices"]
    names = [disk["children"][0]["name"] for disk in lsblk]
    assert names == ["luks-uuid1", "luks-uuid2"]
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("lsblk_--json.json", "dmsetup_table", "dmsetup_info_-c"):
        (kept / name).write_text(texts[f"blockstack-capture/{name}"])
    devices = build(read_sources([kept])).stack.devices
    assert [device.kind for device in devices.values()].count("dm-crypt") == 2
