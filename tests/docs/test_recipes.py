"""Recipe pages: the tables are what the tool gives, and their configs run."""

import json
import re
import shlex

import pytest
from pace import one_quick
from places import ROOT
from typer.testing import CliRunner

from blockstack.base.errors import ConfigError
from blockstack.cli import app
from blockstack.scenario.config import load_config
from docs._make import recipes as make

RECIPES = ROOT / "docs" / "recipes"


@pytest.mark.slow
@pytest.mark.parametrize("name", one_quick(make.RECIPES))
def test_page_is_current(name):
    """Made by: python -m docs._make.recipes"""
    text = (RECIPES / f"{name}.md").read_text()
    above = text.partition(make.NOTE)[0]
    (options,) = re.findall(rf"blockstack capacity configs/recipes/{name}.toml (.*)", above)
    assert options
    assert make.page(name) == text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dm-layer", "replication", "raid5-small-writes", "cache-hits"])
def test_a_rows_command_gives_the_row(name):
    variant = make.RECIPES[name][-1]
    words = shlex.split(make.command(name, variant))
    text = (RECIPES / f"{name}.md").read_text()
    assert make.command(name, variant) in text
    found = CliRunner().invoke(
        app, [*(str(ROOT / w) if w.startswith("configs/") else w for w in words[1:]), "--json"]
    )
    assert found.exit_code == 0, found.output
    iops = json.loads(found.stdout)["blockstack"]["iops"]
    assert f"| {variant.label} | {iops:,.0f} |" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("devices", "not a change"),
        ("=3", "not a change"),
        ("devices.x.on=", "no such key"),
        ("name.x=1", "no table"),
        ("workload.bs=4 KiB KiB", "bs"),
        ("devices.user.in=3", "needs this key"),
    ],
)
def test_a_wrong_change_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        load_config(make.CONFIGS / "cache-hits.toml", [change])


def test_every_page_has_a_config_and_is_listed():
    index = (RECIPES / "README.md").read_text()
    names = {path.stem for path in RECIPES.glob("*.md")} - {"README"}
    assert names == set(make.RECIPES) and len(names) >= 10
    assert {path.stem for path in make.CONFIGS.glob("*.toml")} == names
    for name in names:
        assert f"({name}.md)" in index
        assert load_config(make.CONFIGS / f"{name}.toml").name == name
