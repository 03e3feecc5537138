"""Review figures and the report: every figure of several stacks, the page, the same bytes twice."""

import html.parser
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

import blockstack as bs
from blockstack.cli import app
from blockstack.engine.stackmap import MOST_NODES, stack_map
from blockstack.present.figures import FIGURES, Subject, draw
from blockstack.present.folded import folded, speedscope

CONFIGS = Path(__file__).parent.parent / "configs"


def subject(name, **changes):
    case = bs.load(CONFIGS / f"{name}.toml")
    return Subject(case.stack, case.workload, bs.load_kernel(case.kernel or "linux-6.1-x86_64"),
                   bios=2000, **changes)


def test_alike_devices_are_one_box():
    stack = bs.Stack("raid6 of 24 under dm-crypt")
    disks = [stack.scsi(f"sd{c}", size="8 TiB") for c in "abcdefghijklmnopqrstuvwx"]
    luks = stack.dm("luks", target="crypt", on=stack.md("md0", level="raid6", members=disks))
    for name, kind in (("a", "xfs"), ("b", "ext4")):
        start = 0 if name == "a" else 2**31
        stack.add(f"lv-{name}", "dm-linear", table=[[0, 2**30, "luks", start]])
        stack.filesystem(f"fs-{name}", kind=kind, on=f"lv-{name}")
    found = stack_map(stack, kernel="linux-6.1-x86_64")
    assert luks.name == "luks" and {n.count for n in found.nodes if n.kind == "scsi"} == {24}
    assert sorted(n.names[0] for n in found.nodes if n.rank == 0) == ["fs-a", "fs-b"]
    members = next(link for link in found.links if found.nodes[link.lower].kind == "scsi")
    assert members.each == 24 and members.task == "raid5d md0" and not members.always
    assert all(found.nodes[link.upper].rank < found.nodes[link.lower].rank for link in found.links)


def test_a_run_of_layers_is_one_box_and_many_kinds_fit():
    stack = bs.Stack("deep")
    top = stack.nvme("nvme0n1", size="1 TiB")
    for i in range(12):
        top = stack.dm(f"lv{i}", target="linear", on=top)
    nested = next(n for n in stack_map(stack, kernel="linux-6.1-x86_64").nodes
                  if n.kind == "dm-linear")
    assert (nested.nested, nested.count) == (12, 1)
    wide = bs.Stack("wide")
    wide.nvme("nvme0n1", size="1 TiB")
    for i in range(MOST_NODES + 5):
        wide.add(f"lv{i}", "dm-linear", table=[[0, 1000 + i, "nvme0n1", 10_000 * i]])
    assert len(stack_map(wide, kernel="linux-6.1-x86_64").nodes) == 2


def test_stacks_for_flame_graph_viewers():
    found = bs.explain(bs.load(CONFIGS / "dm-md-iscsi.toml").stack, kernel="linux-2.6.18-i386-4k")
    weights = {}
    for line in folded(found.tasks).splitlines():
        stack, _, n_bytes = line.rpartition(" ")
        task = stack.split(";")[0]
        weights[task] = weights.get(task, 0) + int(n_bytes)
    assert weights == {f"{t.task} [{t.context}]": t.peak_bytes for t in found.tasks}
    file = json.loads(speedscope("x", found.tasks))
    assert [p["endValue"] for p in file["profiles"]] == [t.peak_bytes for t in found.tasks]
    assert max(n for p in file["profiles"] for s in p["samples"] for n in s) < len(
        file["shared"]["frames"])


class _Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    found = CliRunner().invoke(app, ["report", str(CONFIGS / "dm-md-iscsi.toml"), "-o",
                                     str(folder), "--bios", "2k"])
    assert found.exit_code == 1, found.output
    return folder


def test_the_page_says_what_was_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("blockstack.present.report.FIGURES", {})
    config = tmp_path / "host.toml"
    config.write_text('kernel = "linux-6.1-x86_64"\n[missing]\n"/srv" = "oddfs: no such kind"\n'
                      '[devices.sda]\nkind = "scsi"\nsize = "1 GiB"\n')
    found = CliRunner().invoke(app, ["report", str(config), "-o", str(tmp_path), "--json"])
    assert found.exit_code == 3 and json.loads(found.stdout)["fits"] is None
    page = (tmp_path / "index.html").read_text()
    assert "cannot tell on linux-6.1-x86_64" in page and 'class="fits"' not in page
    assert "every task: what was left out may make it deeper: /srv" in page


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_there(pack, name):
    assert (pack / "figures" / f"{name}.png").stat().st_size > 10_000
    assert (pack / "figures" / f"{name}.svg").read_text().count("<path") > 20
    assert json.loads((pack / "data" / f"{name}.json").read_text())


def test_the_page_stands_alone(pack):
    text = (pack / "index.html").read_text()
    page = _Page()
    page.feed(text)
    images = [a["src"] for tag, a in page.tags if tag == "img" and a.get("src")]
    assert len(images) == len(FIGURES)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in images)
    assert not [a for _, a in page.tags if str(a.get("src", a.get("href", ""))).startswith("http")]
    assert "overflows on linux-2.6.18-i386-4k, recursive" in text
    for tag, a in page.tags:  # what it links to is there
        if tag == "a":
            assert (pack / a["href"]).is_file()


@pytest.mark.parametrize("name", ["stack", "depth", "journey", "pending"])
def test_same_inputs_same_bytes(pack, name, tmp_path):
    figure = draw(name, subject("dm-md-iscsi"))
    for ending in ("svg", "png"):
        bs.plot.save(figure.ax, str(tmp_path / f"{name}.{ending}"))
        assert (tmp_path / f"{name}.{ending}").read_bytes() == (
            pack / "figures" / f"{name}.{ending}").read_bytes()
    text = (pack / "data" / f"{name}.json").read_text()
    assert json.dumps(figure.data, indent=1, default=str) == text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_the_page_in_a_browser(pack):
    """The script runs: every head of a table becomes a button that sorts."""
    found = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         (pack / "index.html").as_uri()], capture_output=True, text=True, timeout=120,
        check=True)
    assert '<th><button type="button">task</button></th>' in found.stdout
    assert "Uncaught" not in found.stderr


def test_command_line(tmp_path):
    found = CliRunner().invoke(app, ["plot", "memory", str(CONFIGS / "nvme-lvm-luks.toml"), "-o",
                                     str(tmp_path / "g.svg"), "--json"])
    assert found.exit_code == 0 and json.loads(found.output)["data"] == {"threads": 10_000}
    bad = CliRunner().invoke(app, ["report", str(CONFIGS / "nvme-lvm-luks.toml"), "-o",
                                   "/proc/no/such"])
    assert bad.exit_code == 2


def test_two_answers_side_by_side(tmp_path):
    main = str(CONFIGS / "dm-md-iscsi.toml")
    written = tmp_path / "main.json"
    written.write_text(CliRunner().invoke(app, ["explain", main, "--json"]).output)
    picture = tmp_path / "c.svg"
    found = CliRunner().invoke(app, ["compare", str(written), main, "--kernel-b",
                                     "linux-2.6.18-i386-8k", "--json", "-o", str(picture)])
    data = json.loads(found.stdout)
    assert found.exit_code in (0, 3) and data["a"]["fits"] is False
    assert data["a"]["headroom_bytes"] < 0 < data["b"]["headroom_bytes"]
    assert {row["change_bytes"] for row in data["headroom"]} >= {4096}
    assert picture.stat().st_size > 5000
    shown = CliRunner().invoke(app, ["compare", main, main])
    assert "no change" in shown.output and shown.exit_code == 1
    layers = CliRunner().invoke(app, ["compare", str(CONFIGS / "recursive.toml"), main, "--json"])
    assert sum(row["change_bytes"] for row in json.loads(layers.stdout)["layers"]) == (
        json.loads(layers.stdout)["b"]["peak_bytes"] - json.loads(layers.stdout)["a"]["peak_bytes"])
    written.write_text('{"tasks": 3}')
    assert CliRunner().invoke(app, ["compare", str(written), main]).exit_code == 2
