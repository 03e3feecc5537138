"""The schema pages: their examples are read by the readers, and what ships holds to them."""

import gzip
import json
import re
from pathlib import Path

import msgspec
import pytest
from places import ROOT

from blockstack.base.errors import BlockstackError
from blockstack.kernel import table
from blockstack.validation import measured

FORMATS = ROOT / "docs/formats"
FRAMES = (FORMATS / "frames.md").read_text()
MEASURED = (FORMATS / "measured.md").read_text()
#: types/ has a form of its own
TABLES = sorted(
    path
    for path in (ROOT / "blockstack/kernel/data").rglob("*.json.gz")
    if path.parent.name != "types"
)
STACKS = sorted((ROOT / "blockstack/validation/data").glob("*.json.gz"))


def example(page: str) -> str:
    (found,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    return found


def keys(page: str, head: str) -> dict[str, str]:
    """Documented keys of the table under a heading cell: the key, and the rest of its row."""
    start = page.index(f"| {head} |")
    rows = page[start:].split("\n\n", 1)[0].splitlines()[2:]
    found = {}
    for row in rows:
        names, rest = row.strip("|").split("|", 1)
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", names), rest)
    return found


def fields(struct: type[msgspec.Struct]) -> tuple[set[str], set[str]]:
    """All keys of a reader's struct, and those without a default."""
    every = msgspec.structs.fields(struct)
    return {f.name for f in every}, {f.name for f in every if f.required}


def required(page: str, head: str) -> set[str]:
    return {key for key, rest in keys(page, head).items() if rest.strip().startswith("yes")}


def read(path: Path):
    return json.loads(gzip.decompress(path.read_bytes()))


def test_the_page_has_the_reader_s_keys():
    assert (set(keys(FRAMES, "key")),) * 2 == fields(table._File)
    for head, struct in (("in a stack", measured._Entry), ("in a pass", measured._Pass)):
        assert (set(keys(MEASURED, head)), required(MEASURED, head)) == fields(struct)


def test_the_frames_example_is_read(tmp_path):
    file = tmp_path / "frames.json"
    file.write_text(example(FRAMES))
    read_table = table.load_table(file)
    assert read_table.frame("dm_submit_bio") == 136
    assert read_table.site("dm_submit_bio", "submit_bio_noacct") == 112
    assert read_table.indirect_site("submit_bio_noacct") == 8


def test_the_measured_example_is_read(tmp_path):
    file = tmp_path / "measured.json"
    file.write_text(example(MEASURED))
    (one,) = measured.load_measurements(file).stacks
    assert one.block.functions[-1] == ("mempool_alloc", 104)
    assert [d.kind for d in measured.stack_of(one).devices.values()].count("dm-linear") == 1


@pytest.mark.parametrize("key", sorted(required(FRAMES, "in `meta`")))
def test_what_frames_require_is_demanded(tmp_path, key):
    data = json.loads(example(FRAMES))
    del data["meta"][key]
    (tmp_path / "frames.json").write_text(json.dumps(data))
    with pytest.raises(BlockstackError):
        table.load_table(tmp_path / "frames.json")


@pytest.mark.parametrize("key", sorted(required(MEASURED, "in `meta`")))
def test_what_measurements_require_is_demanded(tmp_path, key):
    data = json.loads(example(MEASURED))
    del data["meta"][key]
    (tmp_path / "measured.json").write_text(json.dumps(data))
    with pytest.raises(BlockstackError):
        measured.load_measurements(tmp_path / "measured.json")


@pytest.mark.slow
@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.name)
def test_shipped_tables_keep_to_the_page(path):
    data = read(path)
    assert set(data["meta"]) <= set(keys(FRAMES, "in `meta`"))
    assert required(FRAMES, "in `meta`") <= set(data["meta"])
    assert {row[2] for row in data["functions"].values()} <= set(keys(FRAMES, "`kind`"))


@pytest.mark.parametrize("path", STACKS, ids=lambda p: p.name)
def test_shipped_measurements_keep_to_the_page(path):
    data = read(path)
    assert set(data["meta"]) <= set(keys(MEASURED, "in `meta`"))
    for stack in data["stacks"].values():
        assert set(stack) <= set(keys(MEASURED, "in a stack"))
        for one in ("block", "all"):
            assert set(stack.get(one) or {}) <= set(keys(MEASURED, "in a pass"))


@pytest.mark.parametrize("folder", ["kernel/data", "validation/data"])
def test_every_data_file_is_in_its_readme(folder):
    """By its name, or by the pattern of its row."""
    here = ROOT / "blockstack" / folder
    rows = keys((here / "README.md").read_text(), "file")
    wanted = {re.sub("NAME|MODULE", ".+", re.escape(name)) for name in rows}
    for path in here.rglob("*"):
        if path.is_file() and path.name != "README.md":
            name = path.relative_to(here).as_posix()
            assert any(re.fullmatch(one, name) for one in wanted), name


@pytest.mark.parametrize("page", sorted(FORMATS.glob("*.md")), ids=lambda p: p.stem)
def test_pages_and_their_links_exist(page):
    assert f"docs/formats/{page.name}" in (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^):]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link
