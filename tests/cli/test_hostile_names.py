"""Names from outside: kept in data, harmless at every sink."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from blockstack.base.harmless import for_csv, for_terminal, for_xml
from blockstack.cli import app
from blockstack.scenario.config import dump_config, load_config, parse_config

HOSTILE = [
    "x\x1b]0;pwned\x07\x1b[31mRED",
    "a\u202egnp.b\u2066",
    "c\x9b31m\x00\x7f",
    "</text><script>--><!--&amp;",
    "=HYPERLINK(1)",
    "line\nfeed\ttab",
]
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def call(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def config(request, tmp_path):
    file = tmp_path / "host.toml"
    name = json.dumps(request.param)
    device = "sda" if re.search(r"[\x00-\x20\x7f-\x9f]", request.param) else name
    file.write_text(
        f'kernel = "linux-6.1-x86_64"\nname = {name}\n[devices.{device}]\n'
        'kind = "scsi"\ndriver = "ahci"\nsize = "1 TiB"\n'.replace("\x7f", "\\u007f"),
        encoding="utf-8",
    )
    return file, request.param


def test_toml_and_json_keep_the_name(config):
    file, name = config
    case = load_config(file)
    text = dump_config(case)
    assert not ACTS.search(text) and parse_config(text) == case
    assert case.name == name
    data = json.loads(call("run", file, "--bios", 50, "--json").stdout)
    assert data["name"] == name and list(data["runs"][0]["leaves"]) == list(case.stack.devices)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("explain",), ("run", "--bios", "50"), ("check",), ("check", "--csv")]
)
def test_nothing_acts_on_a_terminal_or_in_a_table(config, words):
    found = call(words[0], config[0], *words[1:])
    assert found.exit_code == 0, found.output
    assert not ACTS.search(found.stdout) and not ACTS.search(found.stderr)
    if "--csv" in words:
        rows = list(csv.reader(io.StringIO(found.stdout)))
        assert len(rows) == 2 and len(rows[0]) == len(rows[1])
        assert not any(cell[:1] in "=+@" for cell in rows[1] if cell)


@pytest.mark.slow
@pytest.mark.parametrize("figure", ["stack", "depth", "journey"])
def test_every_svg_is_xml(config, figure, tmp_path):
    out = tmp_path / "x.svg"
    found = call("plot", figure, config[0], "-o", out)
    assert found.exit_code == 0, found.output
    assert ET.parse(out).getroot().tag.endswith("svg")
    assert not ACTS.search(out.read_text(encoding="utf-8"))


def test_one_function_per_sink():
    assert for_terminal("\x1b\x9b\u202e\n") == "\u241b\ufffd\ufffd\n"
    assert for_xml("\x1b<a>\n\uffff") == "\ufffd<a>\n\ufffd"
    assert [for_csv(v) for v in ("=1", "-x", "a\nb", -3, "ok")] == [
        "'=1",
        "'-x",
        "a\u240ab",
        -3,
        "ok",
    ]
