"""The budgets of whole commands: that they are measured, and that the commands are there."""

import json

import pytest

from bench.cli import BUDGETS, Budget, median, table
from bench.fleet import write_fleet
from blockstack.cli.application import COMMANDS


def test_every_budget_is_of_a_command():
    for budget in BUDGETS:
        assert budget.words[0] in {*COMMANDS, "--help", "--version"}
    assert len({budget.name for budget in BUDGETS}) == len(BUDGETS)


def test_a_command_is_measured():
    lines = list(table([Budget("version", ("--version",), 1e6)], 1))
    name, seconds, budget, ratio, mib = (cell.strip() for cell in lines[2].strip("|").split("|"))
    assert name == "version" and float(budget) == 1e6
    assert float(seconds) > 0 and float(ratio) == 0.0 and float(mib) > 1


def test_a_command_that_breaks_is_no_measurement():
    with pytest.raises(RuntimeError, match="status 2"):
        median(Budget("none", ("explain", "no-such-file"), 1), 1)


def test_a_fleet_has_as_many_stacks_as_are_asked_for(tmp_path):
    hosts = write_fleet(tmp_path / "fleet", hosts=7, stacks=3)
    texts = [(host / "lsblk.json").read_text() for host in hosts]
    assert len(hosts) == 7 and len(set(texts)) == 3 and texts[0] == texts[3]
    assert json.loads(texts[0])["blockdevices"]
