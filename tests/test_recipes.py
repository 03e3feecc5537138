"""Recipe pages: the tables are what the tool gives, and their configs run."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from blockstack.config import load_config

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "docs" / "recipes"
SPEC = importlib.util.spec_from_file_location("recipes_make", RECIPES / "make.py")
make = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = make  # dataclasses look their module up
SPEC.loader.exec_module(make)


@pytest.mark.parametrize("name", make.RECIPES)
def test_page_is_current(name):
    """Made by: python docs/recipes/make.py"""
    text = (RECIPES / f"{name}.md").read_text()
    (options,) = re.findall(rf"blockstack capacity configs/recipes/{name}.toml (.*)", text)
    assert options
    assert make.page(name) == text


def test_every_page_has_a_config_and_is_listed():
    index = (RECIPES / "README.md").read_text()
    names = {path.stem for path in RECIPES.glob("*.md")} - {"README"}
    assert names == set(make.RECIPES) and len(names) >= 10
    assert {path.stem for path in make.CONFIGS.glob("*.toml")} == names
    for name in names:
        assert f"({name}.md)" in index
        assert load_config(make.CONFIGS / f"{name}.toml").name == name
