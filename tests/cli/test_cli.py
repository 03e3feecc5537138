"""The command line: exit status, JSON keys, errors in one line."""

import ast
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

import blockstack as bs
from blockstack import cli
from blockstack.base.errors import BlockstackError
from blockstack.base.units import parse_count
from blockstack.cli import app
from blockstack.cli.plot import takers
from blockstack.cli.waves import LoadOptions, run_waves
from blockstack.present.review.figures import FIGURES, OPTIONS

MAIN = "configs/dm-md-iscsi.toml"


def call(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


RUN_KEYS = {
    "submission",
    "peak_bytes",
    "limit_bytes",
    "headroom_bytes",
    "fits",
    "overflows",
    "peak_nesting",
    "peak_pending",
    "bios",
    "hops",
    "splits",
    "deepest_path",
    "exact",
    "tasks",
}
TASK_KEYS = {"task", "context", "peak_bytes", "limit_bytes", "fits", "exact"}


@pytest.mark.slow
def test_run_json_has_the_documented_keys():
    result = call("run", MAIN, "--bios", "2k", "--json")
    assert result.exit_code == 1  # the kernel's own rule overflows
    data = json.loads(result.stdout)
    assert data["kernel"] == "linux-2.6.18-i386-4k"
    assert [r["submission"] for r in data["runs"]] == ["recursive", "fifo", "two-list", "lifo"]
    for run in data["runs"]:
        assert run.keys() >= RUN_KEYS
        assert all(t.keys() >= TASK_KEYS for t in run["tasks"])
        assert all(f.keys() >= {"function", "bytes", "layer"} for f in run["deepest_path"])
        assert sum(f["bytes"] for f in run["deepest_path"]) == run["peak_bytes"]
        worst = min(run["tasks"], key=lambda t: t["limit_bytes"] - t["peak_bytes"])
        assert run["peak_bytes"] == worst["peak_bytes"]


@pytest.mark.slow
def test_exit_status_is_judged_on_the_own_rule_unless_another_is_given():
    assert call("run", MAIN, "--bios", "500").exit_code == 1
    assert call("run", MAIN, "--bios", "500", "--submission", "fifo").exit_code == 0
    assert (
        call("explain", "configs/reiser4-4k.toml", "--kernel", "linux-2.6.18-i386-8k").exit_code
        == 3
    )
    assert call("run", MAIN, "--bios", "500", "--thread-size", "8 KiB").exit_code == 0
    assert call("explain", MAIN).exit_code == 1
    assert call("explain", MAIN, "--submission", "two-list").exit_code == 0


@pytest.mark.parametrize(
    "words, part",
    [
        (("run", "nowhere.toml"), "no such file"),
        (("run", MAIN, "--kernel", "linux-1.0"), "no such kernel"),
        (("run", MAIN, "--submission", "stack"), "no such submission rule"),
        (("run", MAIN, "--bios", "many"), "not a number of bios"),
        (("run", MAIN, "--bios", "-5"), "positive"),
        (("run", MAIN, "--thread-size", "5 KiB"), "not a thread size"),
        (("run", MAIN, "--irq-per-hop", "2"), "probability"),
        (("run", MAIN, "--seed", "-1"), "seed"),
        (("explain", MAIN, "--max-layers", "md-raid5"), "must stand on one device"),
        (("explain", MAIN, "--max-layers", "nothing"), "no such device kind"),
        (("plot", "depth", MAIN, "-o", "x.bmp"), ".svg"),
        (("run", "configs/dm-md-iscsi.toml", "--kernel", "linux-6.1-x86_64"), "has no ext3"),
    ],
)
def test_bad_input_is_status_2_and_says_the_way_out(words, part):
    result = call(*words)
    assert result.exit_code == 2
    assert part in result.output
    assert "Traceback" not in result.output


def test_bad_input_as_json():
    result = call("run", "nowhere.toml", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout.splitlines()[0])["error"]["path"] == "nowhere.toml"


def test_counts():
    assert [parse_count(t) for t in ("50M", "200k", "1000000", "2.5k")] == [
        50_000_000,
        200_000,
        1_000_000,
        2500,
    ]
    for text in ("", "k", "0", "1.5", "nan", "inf", "-1k"):
        with pytest.raises(BlockstackError):
            parse_count(text)


@pytest.mark.slow
def test_tables_for_people():
    run = call("run", MAIN, "--bios", "2k").output
    for word in (
        "recursive *",
        "two-list",
        "overflows by",
        "Deepest path",
        "generic_make_request",
        "raid5d md0",
        "NOT the compiler of the time",
    ):
        assert word in run
    explained = call("explain", MAIN, "--all").output
    for word in ("Depth", "Size", "Location", "completion", "reclaim", "Note:"):
        assert word in explained
    layers = call("explain", MAIN, "--max-layers", "dm-linear").output
    for word in ("8 nested in this stack", "completion ", "serialised"):
        assert word in layers
    assert "linux-2.6.24-i386-8k" in layers and "linux-6.1-i386 has no ext3" in layers
    kernels = call("kernel", "list").output
    assert "linux-6.1-x86_64" in kernels and "hits the guard page" in kernels
    rows = {
        r["name"]: r for r in json.loads(call("kernel", "list", "--threads", 1000, "--json").stdout)
    }
    saved = [rows[f"linux-2.6.18-i386-{k}k"]["memory_bytes"] for k in (8, 4)]
    assert saved[0] - saved[1] == 1000 * 4096


@pytest.mark.slow
def test_max_layers_json():
    data = json.loads(
        call(
            "explain",
            "configs/raid1.toml",
            "--max-layers",
            "dm-linear",
            "--json",
            "--submission",
            "recursive",
        ).stdout
    )
    row = next(r for r in data["rows"] if r["direction"] == "submission")
    # of the build with the flags of 2005, which decides; gcc 11 with its own keeps 184
    assert row["layers"] > 0 and row["bytes_per_layer"] == 208


@pytest.mark.slow
@pytest.mark.parametrize("name", ["depth", "headroom"])
@pytest.mark.parametrize("ending", ["svg", "png"])
def test_plots_are_written_and_the_same_each_time(tmp_path, name, ending):
    files = [tmp_path / f"{i}.{ending}" for i in range(2)]
    for file in files:
        result = call("plot", name, "configs/raid1.toml", "-o", file, "--bios", "300")
        assert result.exit_code == 0, result.output
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].stat().st_size > 5000
    if ending == "svg":
        assert ET.parse(files[0]).getroot().tag.endswith("svg")


def _body(function):
    return function.body[-1].end_lineno - function.body[0].lineno + 1


def test_bodies_of_the_commands_fit_on_a_screen():
    """Options to a record, the record to a call; signatures are as long as there are options."""
    functions = {
        f"{path.name}: {node.name}": _body(node)
        for path in Path(cli.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(functions) > 60 and {n: k for n, k in functions.items() if k > 40} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_takes_its_own_options_only(name):
    """Another figure's option ends the command, and says whose it is."""
    flags = {option.flag for option in OPTIONS.values()}
    own = {OPTIONS[option].flag for option in FIGURES[name].options}
    told = call("plot", name, "--help").output
    assert all((flag in told) == (flag in own) for flag in flags)
    for flag in flags - own:
        found = call("plot", name, MAIN, flag, "7")
        assert found.exit_code == 2 and f"the figure {name} does not take it" in found.output
        assert all(taker in found.output for taker in takers(flag))


def test_an_options_figures_are_named():
    found = call("plot", "stack", "configs/raid1.toml", "--threads", "7", "--json")
    error = json.loads(found.stdout)["error"]
    assert (found.exit_code, error["path"], error["hint"]) == (
        2,
        "--threads",
        "it belongs to memory",
    )
    assert "No such option" in call("plot", "stack", "configs/raid1.toml", "--nonsense").output


@pytest.mark.slow
def test_loads_run_without_a_command_line():
    case = bs.load("configs/nvme-lvm-luks.toml")
    kernel = bs.load_kernel(case.kernel)
    (ran,) = run_waves(case, kernel, LoadOptions(iodepth=4, bios=500, ghz=2.0))
    assert ran.result.load.iodepth == 4 and ran.result.bios == 500 and ran.sweep is None
    with pytest.raises(BlockstackError, match="belongs to a job file"):
        run_waves(case, kernel, LoadOptions(section="x"))
    with pytest.raises(BlockstackError, match="leave --iodepth, --until-knee out"):
        run_waves(case, kernel, LoadOptions(trace=Path("x"), iodepth=4, knee=True))


OWN_TRACE = """        Depth    Size   Location
        -----    ----   --------
  0)     3000     104   __generic_file_aio_write_nolock_of_a_name
  1)     2896    2896   ext3_reserve_inode_write.part.0+0x12/0x40 [ext3]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("run", "A", "--bios", "500"),
        ("run", "B", "--bios", "500"),
        ("explain", "A"),
        ("explain", "B", "--all"),
        ("explain", "B", "--limits", "--bs", "1M"),
        ("explain", "A", "--limits", "--all"),
        ("explain", "B", "--max-layers", "dm-linear"),
        ("capacity", "A", "--iodepth", "8", "--bios", "500", "--cpu"),
        ("compare", "A", "B"),
        ("check", "A", "B"),
        ("explain", "--oops", "T"),
        ("kernel", "list"),
        ("--help",),
        ("run", "--help"),
    ],
)
def test_eighty_columns_cut_no_word(words, tmp_path):
    (tmp_path / "trace.txt").write_text(OWN_TRACE)
    names = {"A": MAIN, "B": "configs/nvme-lvm-luks.toml", "T": str(tmp_path / "trace.txt")}
    found = CliRunner().invoke(app, [names.get(w, w) for w in words], env={"COLUMNS": "80"})
    assert found.exit_code in (0, 1), found.output
    assert "…" not in found.stdout and max(map(len, found.stdout.splitlines())) <= 80


def test_the_version_and_the_module():
    asked = [sys.executable, "-P", "-m", "blockstack", "--version"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert found.stdout == f"blockstack {bs.__version__}\n"
    assert CliRunner().invoke(app, ["--version"]).stdout == found.stdout
