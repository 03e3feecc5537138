"""The commands that take hosts: import, capture, run and explain of a source."""

import json

import pytest
from host_sources import INFO, LSBLK, TABLE
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.scenario.config import load_config


def call(*words, **options):
    return CliRunner().invoke(app, [str(w) for w in words], **options)


@pytest.fixture
def sources(tmp_path):
    for name, text in (("lsblk.json", LSBLK), ("dmsetup_table", TABLE), ("dmsetup_info_-c", INFO)):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.slow
def test_import_writes_a_config_that_loads(sources):
    out = sources / "host.toml"
    result = call(
        "import",
        sources / "lsblk.json",
        sources / "dmsetup_table",
        sources / "dmsetup_info_-c",
        "-o",
        out,
    )
    assert result.exit_code == 0, result.output
    case = load_config(out)
    assert case.kernel == "linux-6.1-x86_64"
    assert case.stack.devices["my--vg-the--root"].on == ("sda2", "sdb")
    assert any("no source tells the host's kernel" in line for line in case.assumed)
    told = call("run", out, "--bios", 500)  # and whoever uses the config later hears it, too
    assert "assumed: no source tells the host's kernel" in told.stderr
    assert "assumed:" in result.stderr


def test_a_folder_of_outputs_and_json(sources):
    data = json.loads(call("import", sources, "--json").stdout)
    assert data["devices"] == 7 and data["kernel"] == "linux-6.1-x86_64"
    assert data["config"]["devices"]["/"]["kind"] == "xfs"
    assert len(data["sources"]) == 3


def test_run_and_explain_take_sources(sources):
    assert call("run", sources, "--bios", "500").exit_code == 0
    assert call("explain", sources / "lsblk.json").exit_code == 0
    assert (
        call(
            "import", sources, "--run", "--bios", 500, "-o", sources / "x.toml", "--json"
        ).exit_code
        == 0
    )
    assert (sources / "x.toml").exists()
    piped = call("import", "-", input=LSBLK)
    assert piped.exit_code == 0 and '[devices."/"]' in piped.stdout


@pytest.mark.parametrize(
    "words, part",
    [
        (("import", "/nowhere"), "cannot be read"),
        (("import", "{}/lsblk.json", "-o", "/no/x.toml"), "cannot be written"),
        (("import", "{}/bad"), "is of"),
        (("run", "{}/bad"), "TOML"),
    ],
)
def test_bad_sources_are_status_2(sources, words, part):
    (sources / "bad").write_text("hello world\n")
    result = call(*(w.format(sources) for w in words))
    assert result.exit_code == 2 and part in result.output and "Traceback" not in result.output


def test_capture_prints_a_script():
    assert call("capture").stdout.startswith("#!/bin/sh")
    assert "MASK:-yes" in call("capture", "--mask").stdout


ONE = ("--kernel", "linux-6.1-x86_64")
DEEP = """kernel = "linux-2.6.18-i386-4k"
[devices.sda]
kind = "scsi"
size = "100 GiB"
""" + "".join(
    f'[devices.lv{i}]\nkind = "dm-linear"\non = "{f"lv{i - 1}" if i else "sda"}"\n'
    for i in range(24)
)


@pytest.mark.slow
def test_check_one_row_per_host_and_status_1(sources):
    (sources / "deep.toml").write_text(DEEP)
    (sources / "bad").write_text("hello world\n")
    result = call("check", sources / "lsblk.json", sources / "deep.toml", sources / "bad", "--json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    good, deep, bad = data["hosts"]
    assert data["fits"] is False and deep["fits"] is False
    assert deep["deepest"]["headroom_bytes"] < 0 < deep["headroom_bytes"]["linux-2.6.24-i386-8k"]
    assert good["fits"] is True and good["devices"] == 7
    assert good["headroom_bytes"]["linux-6.1-i386"] > 0
    assert good["headroom_bytes"]["linux-2.6.18-i386-4k"] is None  # it has no ext4
    assert bad["fits"] is None and "TOML" in bad["why"]


def test_check_csv_patterns_and_status(sources):
    result = call("check", f"{sources}/*.json", "--csv", *ONE)
    assert result.exit_code == 0
    head, row = result.stdout.splitlines()
    assert head.startswith("source,host,devices,kernel,verdict,task,peak_bytes")
    assert row.split(",")[1:5] == ["lsblk", "7", "linux-6.1-x86_64", "fits"]
    assert call("check", sources / "nothing").exit_code == 2
    assert "fits" in call("check", sources / "lsblk.json", *ONE).stdout


@pytest.mark.slow
def test_a_host_with_an_efi_partition_can_fit(sources):
    """lsblk calls every FAT vfat; no part of such a host is left out."""
    (sources / "efi.json").write_text(
        LSBLK.replace('"ext4","mountpoint":"/boot"', '"vfat","mountpoint":"/boot/efi"')
    )
    data = json.loads(call("import", sources / "efi.json", "--json").stdout)
    assert data["config"]["devices"]["/boot/efi"] == {"kind": "vfat", "on": ["sda1"]}
    told = call("explain", sources / "efi.json", "--json", *ONE)
    assert told.exit_code == 0 and json.loads(told.stdout)["fits"] is True
    assert any("fat_get_cluster" in json.dumps(task) for task in json.loads(told.stdout)["tasks"])
    row = json.loads(call("check", sources / "efi.json", "--json", *ONE).stdout)["hosts"][0]
    assert row["fits"] is True


def without_boot(sources, *skip):
    """A host of which a file system was left out, by name or by kind; and its config."""
    (sources / "odd.json").write_text(LSBLK.replace('"ext4"', '"oddfs"'))
    out = sources / "odd.toml"
    assert call("import", sources / "odd.json", *skip, "-o", out).exit_code == 0
    return [(sources / "odd.json", *skip), (out,)]


@pytest.mark.slow
@pytest.mark.parametrize("left", ["unknown", "/boot", "oddfs"])
def test_nothing_fits_for_certain_when_something_was_left_out(sources, left):
    for host in without_boot(sources, "--skip", left):
        run = call("run", *host, "--bios", 500, "--json")
        assert run.exit_code == 3
        data = json.loads(run.stdout)
        assert data["fits"] is None and any("/boot (" in note for note in data["notes"])
        assert all(r["fits"] is None and r["headroom_bytes"] > 0 for r in data["runs"])
        told = call("explain", *host, "--json")
        assert told.exit_code == 3 and json.loads(told.stdout)["fits"] is None
        assert all("/boot" in task["why"] for task in json.loads(told.stdout)["tasks"])
        assert "cannot tell" in call("explain", *host).stdout
        row = json.loads(call("check", *host, "--json", *ONE).stdout)["hosts"][0]
        assert row["fits"] is None and "/boot" in row["why"]
        layers = call("explain", *host, "--max-layers", "dm-linear", *ONE)
        assert layers.exit_code == 3 and "≤" in layers.stdout


@pytest.mark.slow
def test_every_other_command_agrees(sources, tmp_path):
    (_, host) = without_boot(sources, "--skip", "unknown")
    compared = call("compare", *host, *host, "--json")
    assert compared.exit_code == 3 and json.loads(compared.stdout)["b"]["fits"] is None
    assert "/boot" in call("capacity", *host, "--bios", "1k").stdout
    assert call("plot", "headroom", *host, "-o", tmp_path / "x.svg").exit_code == 0
    assert "cannot tell" in (tmp_path / "x.svg").read_text()


def test_who_knows_that_it_carries_nothing_takes_it_out_of_the_config(sources):
    (_, (out,)) = without_boot(sources, "--skip", "unknown")
    assert load_config(out).stack.missing == {
        "/boot": "oddfs: no such kind in the registry; its device is read and written raw"
    }
    again = call("capacity", out, "--bios", "1k", "--set", "missing./boot=")
    assert again.exit_code == 0 and "left out" not in again.stdout
    out.write_text(out.read_text().replace('"/boot" = "oddfs', '"/boot" = 7 # "'))
    wrong = call("explain", out)
    assert wrong.exit_code == 2 and "missing./boot" in wrong.output


def test_what_overflows_does_so_whatever_was_left_out(sources):
    (sources / "deep.toml").write_text(DEEP + '[missing]\nodd = "skipped"\n')
    result = call("explain", sources / "deep.toml", "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["fits"] is False


def test_idle_things_left_out_spoil_no_verdict(sources):
    text = LSBLK.replace(
        '"blockdevices": [',
        '"blockdevices": [{"name": "loop7", "type": "loop", "maj:min": "7:7", "size": 0},',
        1,
    )
    (sources / "idle.json").write_text(text)
    data = json.loads(call("import", sources / "idle.json", "--json").stdout)
    assert data["missing"] == {} and any("loop7" in line for line in data["left_out"])
