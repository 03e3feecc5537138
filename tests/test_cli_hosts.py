"""The commands that take hosts: import, capture, run and explain of a source."""

import json

import pytest
from hosts import INFO, LSBLK, TABLE
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.config import load_config


def call(*words, **options):
    return CliRunner().invoke(app, [str(w) for w in words], **options)


@pytest.fixture
def sources(tmp_path):
    for name, text in (("lsblk.json", LSBLK), ("dmsetup_table", TABLE), ("dmsetup_info_-c", INFO)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_import_writes_a_config_that_loads(sources):
    out = sources / "host.toml"
    result = call("import", sources / "lsblk.json", sources / "dmsetup_table",
                  sources / "dmsetup_info_-c", "-o", out)
    assert result.exit_code == 0, result.output
    case = load_config(out)
    assert case.kernel == "linux-6.1-x86_64"
    assert case.stack.devices["my--vg-the--root"].on == ("sda2", "sdb")
    assert "# assumed: no source tells the host's kernel" in out.read_text()
    assert "assumed:" in result.stderr


def test_a_folder_of_outputs_and_json(sources):
    data = json.loads(call("import", sources, "--json").stdout)
    assert data["devices"] == 7 and data["kernel"] == "linux-6.1-x86_64"
    assert data["config"]["devices"]["/"]["kind"] == "xfs"
    assert len(data["sources"]) == 3


def test_run_and_explain_take_sources(sources):
    assert call("run", sources, "--bios", "500").exit_code == 0
    assert call("explain", sources / "lsblk.json").exit_code == 0
    assert call("import", sources, "--run", "--bios", 500, "-o", sources / "x.toml",
                "--json").exit_code == 0
    assert (sources / "x.toml").exists()
    piped = call("import", "-", input=LSBLK)
    assert piped.exit_code == 0 and '[devices."/"]' in piped.stdout


@pytest.mark.parametrize("words, part", [
    (("import", "/nowhere"), "cannot be read"), (("import", "{}/lsblk.json", "-o", "/no/x.toml"),
                                                 "cannot be written"),
    (("import", "{}/bad"), "is of"), (("run", "{}/bad"), "TOML")])
def test_bad_sources_are_status_2(sources, words, part):
    (sources / "bad").write_text("hello world\n")
    result = call(*(w.format(sources) for w in words))
    assert result.exit_code == 2 and part in result.output and "Traceback" not in result.output


def test_capture_prints_a_script():
    assert call("capture").stdout.startswith("#!/bin/sh")
    assert "MASK:-yes" in call("capture", "--mask").stdout
