"""A host's kernel in every command: judged on its own, or the difference said everywhere."""

import csv
import io
import json

import pytest
from pace import one_quick
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.kernel import PROFILES
from blockstack.kernel.choose import Build, candidates
from blockstack.scenario.config import load_config

LSBLK = json.dumps(
    {
        "blockdevices": [
            {
                "name": "vda",
                "maj:min": "254:0",
                "size": 2**36,
                "type": "disk",
                "tran": "virtio",
                "fstype": "xfs",
                "mountpoint": "/data",
            }
        ]
    }
)
OWN = "6.12.117+deb12-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.12.117-1 x86_64 GNU/Linux"
BUILD = "6.12.41+deb13-amd64 #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux"
OTHERS = {
    "series": "3.10.0-1160.el7.x86_64 #1 SMP x86_64 x86_64 x86_64 GNU/Linux",
    "architecture": "6.1.0-9-arm64 #1 SMP Debian 6.1.27-1 aarch64 GNU/Linux",
    "flavour": "6.12.41+deb13-rt-amd64 #1 SMP PREEMPT_RT x86_64 GNU/Linux",
}
RULE = ("--bios", "200", "--submission", "two-list")


def call(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def host(tmp_path, uname):
    (tmp_path / "h").mkdir(exist_ok=True)
    (tmp_path / "h/lsblk.json").write_text(LSBLK)
    if uname:
        (tmp_path / "h/uname").write_text(f"Linux box {uname}\n")
    return tmp_path / "h"


def answers(source, *options):
    """Exit status and text of every command, JSON read where there is some."""
    explained = call("explain", source, "--json", *options)
    ran = call("run", source, *RULE, "--json", *options)
    checked = call("check", source, "--json", *options)
    rows = call("check", source, "--csv", *options)
    table = call("explain", source, *options)
    assert rows.exit_code == checked.exit_code
    return {
        "status": {r.exit_code for r in (explained, ran, checked, table)},
        "fits": {json.loads(explained.stdout)["fits"], json.loads(ran.stdout)["fits"]},
        "explain": json.loads(explained.stdout),
        "run": json.loads(ran.stdout),
        "check": json.loads(checked.stdout)["hosts"][0],
        "csv": next(csv.DictReader(io.StringIO(rows.stdout))),
        "table": " ".join(table.stdout.split()),
    }


@pytest.mark.slow
def test_a_host_on_the_shipped_kernel_itself(tmp_path):
    """Nothing is assumed of the kernel, and nothing says so."""
    told = answers(host(tmp_path, OWN))
    assert told["status"] == {0} and told["fits"] == {True}
    assert told["check"]["kernel"] == told["explain"]["kernel"] == "linux-6.12-x86_64"
    assert told["check"]["kernel_assumed"] == told["csv"]["kernel_assumed"] == ""
    assert not any("kernel:" in note for note in told["explain"]["notes"])
    assert "not shipped" not in str(told)


@pytest.mark.slow
@pytest.mark.parametrize(
    "uname, part", [(BUILD, "another build: 6.12.117"), ("", "no source tells the host's kernel")]
)
def test_what_is_assumed_is_said_everywhere_and_a_later_run_keeps_it(tmp_path, uname, part):
    source, config = host(tmp_path, uname), tmp_path / "h.toml"
    imported = call("import", source, "-o", config)
    assert imported.exit_code == 0 and part in " ".join(imported.stderr.split())
    for told in (answers(source), answers(config)):
        assert told["status"] == {0} and told["fits"] == {True}
        for place in (
            told["explain"]["notes"],
            told["run"]["notes"],
            [told["check"]["kernel_assumed"]],
            told["check"]["assumed"],
            [told["csv"]["kernel_assumed"]],
            [told["table"]],
        ):
            assert any(part in text for text in place), place


@pytest.mark.parametrize("what", one_quick(OTHERS))
def test_another_kernel_cannot_tell_until_somebody_says_which_stands_for_it(tmp_path, what):
    source, config = host(tmp_path, OTHERS[what]), tmp_path / "h.toml"
    assert call("import", source, "-o", config).exit_code == 0
    for told in (answers(source), answers(config)):
        assert told["status"] == {3} and told["fits"] == {None}
        for text in (
            told["check"]["why"],
            told["csv"]["why"],
            told["table"],
            *(task["why"] for task in told["explain"]["tasks"]),
            *(task["why"] for run in told["run"]["runs"] for task in run["tasks"]),
        ):
            assert f"of another {what}" in text
        assert told["csv"]["verdict"] == "cannot tell"
    said = ("--kernel", "linux-6.12-x86_64")
    assert call("import", source, *said, "-o", tmp_path / "said.toml").exit_code == 0
    assert load_config(tmp_path / "said.toml").kernel_given
    for told in (
        answers(source, *said),
        answers(config, *said),
        answers(tmp_path / "said.toml"),
    ):
        assert told["status"] == {0} and told["fits"] == {True}
        assert told["check"]["kernel"] == told["csv"]["kernel"] == "linux-6.12-x86_64"
        for place in (
            told["explain"]["notes"],
            told["run"]["notes"],
            [told["csv"]["kernel_assumed"]],
            [told["table"]],
        ):
            assert any("was said to stand for it" in text for text in place), place
        assert "no verdict" not in str(told)


@pytest.mark.slow
def test_a_stand_in_overflows_nothing_either(tmp_path):
    """A depth past the limit of another kernel is no more a verdict than one within it."""
    deep = "".join(
        f'[devices.lv{i}]\nkind = "dm-linear"\non = "{f"lv{i - 1}" if i else "sda"}"\n'
        for i in range(24)
    )
    (tmp_path / "deep.toml").write_text(
        'kernel = "linux-2.6.18-i386-4k"\nhost_kernel = "2.6.20 i686"\n'
        f'[devices.sda]\nkind = "scsi"\nsize = "1 GiB"\n{deep}'
    )
    asked = call("explain", tmp_path / "deep.toml", "--json")
    found = json.loads(asked.stdout)
    assert asked.exit_code == 3 and found["fits"] is None and found["headroom_bytes"] < 0
    layers = call("explain", tmp_path / "deep.toml", "--max-layers", "dm-linear", "--json")
    assert layers.exit_code == 3 and "no verdict" in json.loads(layers.stdout)["notes"][0]


@pytest.mark.slow
def test_the_review_says_so(tmp_path):
    pytest.importorskip("jinja2")
    source = host(tmp_path, OTHERS["series"])
    made = call("report", source, "-o", tmp_path / "review", "--bios", "200", "--json")
    assert made.exit_code == 3, made.output
    (section,) = json.loads(made.stdout)["hosts"]
    assert section["fits"] is None and any("of another series" in t for t in section["assumed"])
    assert "of another series" in (tmp_path / "review/index.html").read_text()


def test_old_file_systems_are_served_by_the_kernel_that_stands_for_the_host(tmp_path):
    """ext3 has a driver of its own in the 2.6 kernels, and is ext4's business since 4.3."""
    source = host(tmp_path, "2.6.32-754.el6.x86_64 #1 SMP x86_64 GNU/Linux")
    (source / "lsblk.json").write_text(
        LSBLK.replace('"xfs"', '"ext3"').replace('"virtio"', '"sata"')
    )
    for kernel, kind in (("linux-6.12-x86_64", "ext4"), ("linux-2.6.24-i386-8k", "ext3")):
        made = json.loads(call("import", source, "--json", "--kernel", kernel).stdout)
        assert made["config"]["devices"]["/data"]["kind"] == kind


@pytest.mark.parametrize("line", ['kernel_given = "yes"', "host_kernel = 6"])
def test_the_keys_are_checked(tmp_path, line):
    (tmp_path / "x.toml").write_text(f'{line}\n[devices.sda]\nkind = "scsi"\nsize = "1 GiB"\n')
    refused = call("explain", tmp_path / "x.toml")
    assert refused.exit_code == 2 and line.split()[0] in refused.output


def test_a_host_that_does_not_tell_its_kernel_is_judged_on_all_that_it_may_run(tmp_path):
    (tmp_path / "lsblk.json").write_text(LSBLK)
    told = json.loads(call("check", tmp_path / "lsblk.json", "--json").stdout)["hosts"][0]
    every = candidates(Build("", "x86_64"))
    assert {"linux-6.1-x86_64", "linux-6.12-x86_64"} <= set(every) <= set(PROFILES)
    assert told["fits"] is True and all(name in told["kernel_assumed"] for name in every)
    least = min(told["headroom_bytes"][name] for name in every)
    assert told["deepest"]["headroom_bytes"] == least
    one = call("check", tmp_path / "lsblk.json", "--json", "--kernel", every[0])
    assert "each of" not in one.stdout
