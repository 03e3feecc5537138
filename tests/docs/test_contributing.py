"""The door: what CONTRIBUTING.md, the changelog and the workflow name is there."""

import re
import tomllib

import pytest
import yaml
from places import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_every_file_named_is_there():
    named = set(re.findall(r"`((?:blockstack|_core|bench|tests|docs|configs)/[\w./-]*)`", PAGE))
    places = {name for name in named if "NAME" not in name}
    assert len(places) > 15
    assert sorted(name for name in places if not (ROOT / name).exists()) == []
    for link in re.findall(r"\]\(([^):]+)\)", PAGE):
        assert (ROOT / link).exists(), link


def test_every_module_run_is_there():
    modules = set(re.findall(r"python -m ((?:bench|docs|blockstack)[\w.]+)", PAGE))
    assert len(modules) >= 4
    for module in modules:
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module


def test_the_glossary_is_short():
    rows = PAGE[PAGE.index("| word | meaning |") :].split("\n\n")[0].splitlines()[2:]
    assert 8 <= len(rows) <= 12


@pytest.mark.parametrize("job", WORKFLOW["jobs"])
def test_the_workflow_needs_no_secret_and_ends(job):
    steps = WORKFLOW["jobs"][job]
    assert steps["timeout-minutes"] <= 60
    assert "secrets." not in str(steps)
    for step in steps["steps"]:
        assert ("run" in step) != ("uses" in step)


def test_the_workflow_has_every_python_of_the_project():
    told = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c}
    assert set(WORKFLOW["jobs"]["tests"]["strategy"]["matrix"]["python"]) == told
    built = re.findall(r"cp3(\d+)-", str(WORKFLOW["jobs"]["wheels"]))
    assert {f"3.{minor}" for minor in built} == told


def test_the_lowest_set_is_what_the_project_allows():
    """Each floor of pyproject.toml is pinned in the set that the workflow installs, and no more."""
    extras = PROJECT["optional-dependencies"]
    floors = {}
    for one in (*PROJECT["dependencies"], *extras["test"], *extras["parquet"], *extras["frames"]):
        name, at_least, floor = one.partition(">=")
        if at_least:
            floors.setdefault(name, floor)
            assert floors[name] == floor, f"{name} has two floors"
    own, _, _rests_on = (ROOT / ".ci/lowest.txt").read_text().partition("# what these rest on")
    lines = own.splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert set(pinned) == set(floors)
    for name, floor in floors.items():  # 3.1 is the first of 3.1.*
        rest = pinned[name].removeprefix(floor)
        assert pinned[name].startswith(floor) and rest.replace(".0", "") == "", name


def test_the_changelog_knows_the_version():
    """Keep a Changelog's headings only, each once in a version; the version is closed."""
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert versions[0].startswith("[Unreleased]")
    assert any(
        re.match(rf"\[{PROJECT['version']}\] - \d{{4}}-\d\d-\d\d\n", v) for v in versions[1:]
    )
    for version in versions:
        heads = re.findall(r"^### (.*)$", version, re.MULTILINE)
        known = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
        assert heads == [one for one in known if one in heads]
