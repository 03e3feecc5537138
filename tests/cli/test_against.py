"""``capacity --against``: our own result, read back as a measurement."""

import json

from typer.testing import CliRunner

from blockstack.cli import app

CASE = """kernel = "linux-6.1-x86_64"
[devices.d]
kind = "nvme"
size = "10 GiB"
[workload]
rw = "randread"
direct = true
"""


def test_a_result_of_ours_is_predicted_as_it_is(tmp_path):
    case, result = tmp_path / "case.toml", tmp_path / "result.json"
    case.write_text(CASE)
    run = CliRunner().invoke
    ran = run(app, ["capacity", str(case), "--iodepth", "8", "--bios", "20k", "--json"])
    assert ran.exit_code == 0, ran.output
    result.write_text(ran.stdout)
    assert json.loads(ran.stdout)["jobs"][0]["job options"]["bs"] == "4k"
    beside = run(app, ["capacity", str(case), "--against", str(result)])
    assert beside.exit_code == 0, beside.output
    row = next(line.split() for line in beside.stdout.splitlines() if "randread" in line)
    assert row.count("1.00") == 2


def test_what_is_no_result_is_refused(tmp_path):
    case, result = tmp_path / "case.toml", tmp_path / "result.json"
    case.write_text(CASE)
    result.write_text("{}")
    ran = CliRunner().invoke(app, ["capacity", str(case), "--against", str(result)])
    assert ran.exit_code == 2 and "is no result of fio" in ran.output
