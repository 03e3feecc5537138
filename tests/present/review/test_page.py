"""Review figures and the report: every figure of several stacks, the page, the same bytes twice."""

import html.parser
import json
import os
import shutil
import subprocess
import sys

import pytest
from pace import one_quick
from PIL import Image, ImageChops, ImageStat
from places import ROOT
from typer.testing import CliRunner

import blockstack as bs
from blockstack.cli import app
from blockstack.engine.study.stackmap import MOST_NODES, stack_map
from blockstack.present.export.folded import folded, speedscope
from blockstack.present.review.figures import FIGURES, Subject, draw
from blockstack.present.review.page import Host, Unread, write_review
from blockstack.present.style import thumbnail
from blockstack.validation.files import recorded

CONFIGS = ROOT / "configs"


def subject(name, **changes):
    case = bs.load(CONFIGS / f"{name}.toml")
    return Subject(
        case.stack,
        case.workload,
        bs.load_kernel(case.kernel or "linux-6.1-x86_64"),
        bios=2000,
        recorded=recorded,
        **changes,
    )


@pytest.mark.slow
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
    nested = next(
        n for n in stack_map(stack, kernel="linux-6.1-x86_64").nodes if n.kind == "dm-linear"
    )
    assert (nested.nested, nested.count) == (12, 1)
    wide = bs.Stack("wide")
    wide.nvme("nvme0n1", size="1 TiB")
    for i in range(MOST_NODES + 5):
        wide.add(f"lv{i}", "dm-linear", table=[[0, 1000 + i, "nvme0n1", 10_000 * i]])
    assert len(stack_map(wide, kernel="linux-6.1-x86_64").nodes) == 2


def _few():
    stack = bs.Stack("few")
    stack.filesystem(
        "fs", kind="xfs", on=stack.dm("lv", target="linear", on=stack.nvme("nvme0n1", size="1 TiB"))
    )
    return stack


def _deep():
    """Three hundred devices on each other, of two kinds."""
    stack = bs.Stack("deep")
    top = stack.nvme("nvme0n1", size="1 TiB")
    for i in range(298):
        top = stack.dm(f"a-rather-long-name{i}", target="linear" if i % 50 else "crypt", on=top)
    stack.filesystem("fs", kind="xfs", on=top)
    return stack


def _broad():
    """Three hundred devices side by side: arrays that differ in size."""
    stack = bs.Stack("broad")
    for i in range(30):
        disks = [stack.scsi(f"sd{i}x{k}", size=f"{i + 1} TiB") for k in range(8)]
        array = stack.md(f"md{i}", level=("raid5", "raid6", "raid10")[i % 3], members=disks)
        stack.filesystem(f"home-of-many-users{i}", kind="xfs", on=array)
    return stack


@pytest.mark.slow
@pytest.mark.parametrize("make", one_quick([_few, _deep, _broad]))
def test_nothing_overlaps_on_the_stack_map(make):
    found = stack_map(
        make(),
        kernel="linux-6.1-x86_64",
        workload=bs.Workload(rw="randread", bs="4 KiB", direct=True),
    )
    busy = {name: 0.5 for node in found.nodes for name in node.names}
    ax = bs.plot.stack(found, utilisation=busy, load="iodepth 32")
    ax.figure.draw_without_rendering()
    words = [t for t in (*ax.texts, *ax.figure.texts) if t.get_text()]
    assert len(words) > 10
    boxes = [t.get_window_extent() for t in words]
    for i, one in enumerate(boxes):
        assert ax.figure.bbox.padded(1).count_contains(one.corners()) == 4, words[i].get_text()
        for k in range(i):
            assert not one.overlaps(boxes[k]), (words[i].get_text(), words[k].get_text())


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
        file["shared"]["frames"]
    )


class _Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    hashed = os.environ | {"PYTHONHASHSEED": "7"}  # not this process's: no set may show
    found = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            "from blockstack.cli import main; main()",
            "report",
            str(CONFIGS / "dm-md-iscsi.toml"),
            "-o",
            str(folder),
            "--bios",
            "2k",
        ],
        env=hashed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1 and f"{len(FIGURES)} figures" in found.stderr, found.stderr
    return folder


@pytest.mark.slow
def test_the_page_says_what_was_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("blockstack.present.review.page.FIGURES", {})
    config = tmp_path / "host.toml"
    config.write_text(
        'kernel = "linux-6.1-x86_64"\n[missing]\n"/srv" = "oddfs: no such kind"\n'
        '[devices.sda]\nkind = "scsi"\nsize = "1 GiB"\n'
    )
    found = CliRunner().invoke(app, ["report", str(config), "-o", str(tmp_path), "--json"])
    assert found.exit_code == 3 and json.loads(found.stdout)["fits"] is None
    page = (tmp_path / "index.html").read_text()
    assert "cannot tell on linux-6.1-x86_64" in page and 'class="fits"' not in page
    assert "every task: what was left out may make it deeper: /srv" in page


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_there(pack, name):
    assert (pack / "figures" / f"{name}.png").stat().st_size > 10_000
    assert (pack / "figures" / f"{name}.svg").read_text().count("<path") > 20
    assert json.loads((pack / "data" / f"{name}.json").read_text())


@pytest.mark.slow
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


@pytest.fixture(scope="module")
def seed_subject():
    return subject("dm-md-iscsi")


# the grid and the rates of many runs take long, and draw with the same code
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FIGURES.keys() - {"heat", "load", "tornado-iops"}))
def test_same_inputs_same_bytes(pack, seed_subject, name, tmp_path):
    figure = draw(name, seed_subject)
    for ending in ("svg", "png"):
        bs.plot.save(figure.ax, str(tmp_path / f"{name}.{ending}"))
        assert (tmp_path / f"{name}.{ending}").read_bytes() == (
            pack / "figures" / f"{name}.{ending}"
        ).read_bytes()
    text = (pack / "data" / f"{name}.json").read_text()
    assert json.dumps(figure.data, indent=1, default=str) == text


def difference(a, b):
    """Root mean square of the difference of two small grey pictures, 0 to 255."""
    return ImageStat.Stat(ImageChops.difference(a, b)).rms[0]


#: what another build of matplotlib or freetype may change of a thumbnail
TOLERANCE = 8


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_figures_look_as_they_did(pack, name):
    """Made anew by `python -m docs._make.pages figures`: look at them before they are kept."""
    with Image.open(ROOT / "tests/golden" / "figures" / f"{name}.png") as golden:
        found = thumbnail(pack / "figures" / f"{name}.png")
        assert abs(found.height - golden.height) <= 2
        assert difference(found.resize(golden.size), golden.convert("L")) < TOLERANCE


@pytest.mark.slow
def test_another_picture_is_not_tolerated(pack):
    """A stack that fits, a lever less: the measure sees it."""
    for name in ("depth", "tornado"):
        figure = draw(name, subject("serialised"))
        bs.plot.save(figure.ax, str(pack / "other.png"))
        seed = thumbnail(pack / "figures" / f"{name}.png")
        assert difference(thumbnail(pack / "other.png").resize(seed.size), seed) > 1.5 * TOLERANCE


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install '.[browser]'")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser):
    """Opens a page and fails on anything that it says on the console."""
    said, pages = [], []

    def open_page(path, width=1280, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(request.url[:80]))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []


#: contrast of the text with what is behind it (WCAG 2), the least over all text of the page
CONTRAST = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .04045 ? v / 12.92 :
    ((v + .055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  let least = [99, ""];
  for (const e of document.querySelectorAll(
      "h1,h2,p,td,th button,li,strong,span,figcaption,a,.layer")) {
    if (!e.textContent.trim() || !e.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < least[0]) least = [ratio, e.tagName + " " + e.textContent.trim().slice(0, 40)];
  }
  return least; }"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_readable(pack, opened, width, scheme):
    page = opened(pack / "index.html", width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (
        page.locator("#verdict")
        .inner_text()
        .startswith("overflows on linux-2.6.18-i386-4k, recursive")
    )
    box = page.locator("#verdict").bounding_box()
    assert 0 <= box["y"] < 400 and box["width"] > width * 0.8  # first, and as wide as there is
    ratio, where = page.evaluate(CONTRAST)
    assert ratio >= 4.5, where
    assert page.evaluate(
        "[...document.querySelectorAll('p,td,li,figcaption')].every("
        "e => parseFloat(getComputedStyle(e).fontSize) >= 14)"
    )
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.slow
def test_every_figure_shows_something(pack, opened):
    page = opened(pack / "index.html")
    shown = page.evaluate("""async () => { const found = {};
      for (const figure of document.querySelectorAll("figure")) {
        const image = figure.querySelector("img"); await image.decode();
        const canvas = Object.assign(document.createElement("canvas"), {width: 200, height: 150});
        const pen = canvas.getContext("2d"); pen.drawImage(image, 0, 0, 200, 150);
        const data = pen.getImageData(0, 0, 200, 150).data, seen = new Set();
        for (let i = 0; i < data.length; i += 4)
          seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
        found[figure.id] = [image.naturalWidth, seen.size];
      } return found; }""")
    assert shown.keys() == {f"figure-{name}" for name in FIGURES}
    assert all(width > 300 and colours > 30 for width, colours in shown.values()), shown


@pytest.mark.slow
def test_tables_sort_figures_open_and_layers_tell_their_bytes(pack, opened):
    page = opened(pack / "index.html")
    head = page.locator("table.sortable").first.get_by_role("button", name="peak B")

    def peaks():
        return page.evaluate(
            "[...document.querySelector('table.sortable tbody').rows].map("
            "row => Number(row.cells[2].dataset.n))"
        )

    head.click()
    assert peaks() == sorted(peaks()) and len(set(peaks())) > 5
    head.click()
    assert peaks() == sorted(peaks(), reverse=True)
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("peak B")
    page.locator("#figure-growth button").click()
    assert page.locator("dialog img").bounding_box()["width"] > 700
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    title = page.locator(".layer").first.get_attribute("title")
    frames = [int(line.rsplit(" ", 1)[1]) for line in title.splitlines()]
    assert f"{sum(frames):,}" in page.locator(".layer").first.inner_text()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two hosts of one name and a source that cannot be read, with two figures each."""
    folder = tmp_path_factory.mktemp("fleet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "blockstack.present.review.page.FIGURES",
            {name: FIGURES[name] for name in ("memory", "growth")},
        )
        lacking = subject("nvme-lvm-luks")
        lacking.stack.missing["sdz"] = "no kind"
        found = write_review(
            [
                Host(lacking, "web <1>", source="a.tar.gz"),
                Host(subject("dm-md-iscsi"), "web <1>", source="b.tar.gz", assumed=("that",)),
                Unread("c.tar.gz", "is no archive"),
            ],
            folder,
        )
    assert found.fits is False and [s.fits for s in found.sections] == [None, False]
    return folder


@pytest.mark.slow
def test_several_hosts_on_one_page(fleet):
    text = (fleet / "index.html").read_text()
    page = _Page()
    page.feed(text)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids)) and {"web-1", "web-1-2"} <= set(ids)
    assert text.index('id="verdict"') < text.index('href="#web-1-2"') < text.index('href="#web-1"')
    assert "web &lt;1&gt;" in text and "c.tar.gz: is no archive" in text
    assert "what was left out may make it deeper: sdz" in text and "assumed: that" in text
    for tag, a in page.tags:
        if tag == "a" and not a["href"].startswith("#"):
            assert (fleet / a["href"]).is_file()
    assert json.loads((fleet / "data/web-1-2/growth.json").read_text())["points"]


@pytest.mark.slow
def test_several_hosts_in_a_browser(fleet, opened):
    page = opened(fleet / "index.html", 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#verdict").inner_text().startswith("overflows")
    page.get_by_role("link", name="web <1>").first.click()
    assert page.locator("#web-1-2").bounding_box()["y"] < 100


def test_command_line(tmp_path):
    found = CliRunner().invoke(
        app,
        [
            "plot",
            "memory",
            str(CONFIGS / "nvme-lvm-luks.toml"),
            "-o",
            str(tmp_path / "g.svg"),
            "--json",
        ],
    )
    assert found.exit_code == 0 and json.loads(found.output)["data"] == {"threads": 10_000}
    bad = CliRunner().invoke(
        app, ["report", str(CONFIGS / "nvme-lvm-luks.toml"), "-o", "/proc/no/such"]
    )
    assert bad.exit_code == 2


@pytest.mark.slow
def test_hosts_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("blockstack.present.review.page.FIGURES", {"memory": FIGURES["memory"]})
    lsblk = tmp_path / "web.json"
    lsblk.write_text(
        json.dumps(
            {
                "blockdevices": [
                    {
                        "name": "nvme0n1",
                        "kname": "nvme0n1",
                        "maj:min": "259:0",
                        "type": "disk",
                        "size": 2**40,
                        "fstype": "xfs",
                        "mountpoint": "/srv",
                    }
                ]
            }
        )
    )
    out = tmp_path / "review"
    call = [
        "report",
        str(lsblk),
        str(CONFIGS / "serialised.toml"),
        "/no/such",
        "-o",
        str(out),
        "--json",
    ]
    found = CliRunner().invoke(app, call)
    data = json.loads(found.stdout)
    assert data["fits"] is None and found.exit_code == 3
    assert [host["folder"] for host in data["hosts"]] == ["web", "serialised"]
    assert data["unread"][0]["source"] == "/no/such" and (out / "figures/web/memory.svg").is_file()
    merged = CliRunner().invoke(app, ["report", str(lsblk), "--merge", "-o", str(out), "--json"])
    assert [h["host"] for h in json.loads(merged.stdout)["hosts"]] == ["web"]
    assert CliRunner().invoke(app, ["report", "/no/a", "/no/b", "-o", str(out)]).exit_code == 2


def test_two_answers_side_by_side(tmp_path):
    main = str(CONFIGS / "dm-md-iscsi.toml")
    written = tmp_path / "main.json"
    written.write_text(CliRunner().invoke(app, ["explain", main, "--json"]).output)
    picture = tmp_path / "c.svg"
    found = CliRunner().invoke(
        app,
        [
            "compare",
            str(written),
            main,
            "--kernel-b",
            "linux-2.6.18-i386-8k",
            "--json",
            "-o",
            str(picture),
        ],
    )
    data = json.loads(found.stdout)
    assert found.exit_code in (0, 3) and data["a"]["fits"] is False
    assert data["a"]["headroom_bytes"] < 0 < data["b"]["headroom_bytes"]
    assert {row["change_bytes"] for row in data["headroom"]} >= {4096}
    assert picture.stat().st_size > 5000
    shown = CliRunner().invoke(app, ["compare", main, main])
    assert "no change" in shown.output and shown.exit_code == 1
    layers = CliRunner().invoke(app, ["compare", str(CONFIGS / "recursive.toml"), main, "--json"])
    assert sum(row["change_bytes"] for row in json.loads(layers.stdout)["layers"]) == (
        json.loads(layers.stdout)["b"]["peak_bytes"] - json.loads(layers.stdout)["a"]["peak_bytes"]
    )
    written.write_text('{"tasks": 3}')
    assert CliRunner().invoke(app, ["compare", str(written), main]).exit_code == 2
