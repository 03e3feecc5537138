"""The same input gives the same bytes; a result of a newer schema is refused by name."""

import json

import pytest
from typer.testing import CliRunner

import blockstack as bs
from blockstack.base.errors import BlockstackError
from blockstack.cli import app
from blockstack.results.result import SCHEMA_VERSION

MAIN = "configs/raid1.toml"
TIMES = {"seconds", "bios_per_second", "hops_per_second"}


def call(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.mark.parametrize(
    "words",
    [("run", MAIN, "--bios", "700"), ("explain", MAIN), ("capacity", MAIN, "--bios", "700")],
)
def test_the_same_input_gives_the_same_bytes(words):
    one, two = (call(*words, "--json").stdout for _ in range(2))
    assert one == two and json.loads(one)


def test_times_are_asked_for():
    plain = json.loads(call("run", MAIN, "--bios", "700", "--json").stdout)
    timed = json.loads(call("run", MAIN, "--bios", "700", "--json", "--timing").stdout)
    assert all(not TIMES & run.keys() for run in plain["runs"])
    assert all(run["seconds"] > 0 and run.keys() > TIMES for run in timed["runs"])
    for run in timed["runs"]:
        for name in TIMES:
            del run[name]
    assert timed == plain and plain["version"] == SCHEMA_VERSION


@pytest.mark.parametrize("words", [("run", MAIN, "--bios", "700"), ("explain", MAIN)])
def test_a_newer_schema_is_refused_by_name(tmp_path, words):
    data = json.loads(call(*words, "--json").stdout)
    file = tmp_path / "r.json"
    for version, status, part in (
        (SCHEMA_VERSION, None, ""),
        (SCHEMA_VERSION + 1, 2, f"r.json: version: is a result of schema {SCHEMA_VERSION + 1}"),
        ("1", 2, "no schema version"),
        (True, 2, "no schema version"),
    ):
        file.write_text(json.dumps(data | {"version": version}))
        found = call("compare", file, file)
        assert found.exit_code == (status or found.exit_code) and part in found.output
        assert (found.exit_code == 2) == (status == 2)
    del data["version"]  # as they were before there was one
    file.write_text(json.dumps(data))
    assert call("compare", file, file).exit_code in (0, 1, 3)


def test_a_newer_result_is_refused_in_python():
    case = bs.load(MAIN)
    result = bs.simulate(case.stack, case.workload, kernel=case.kernel, bios=50)
    data = result.to_dict(timing=True)
    again = bs.Result.from_dict(data)
    assert again == result and again.seconds == result.seconds
    for task, read in zip(result.tasks, again.tasks, strict=True):  # and what no comparison sees
        assert (task.work, task.device, task.direction, task.reasons) == (
            read.work,
            read.device,
            read.direction,
            read.reasons,
        )
        assert task.task.startswith(task.work) and task.why == "; ".join(task.reasons)
    with pytest.raises(BlockstackError, match="this blockstack reads 1"):
        bs.Result.from_dict(data | {"version": 2})
