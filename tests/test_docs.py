"""README and docs: what they show runs, and what is generated is current."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.present.reference import lines

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_readme_script_runs(tmp_path, monkeypatch, capsys):
    (script,) = blocks(README, "python")
    assert len([ln for ln in script.splitlines() if ln.strip()]) <= 22
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    quick = script.replace("seed=1)", "seed=1, bios=2000)")
    assert quick != script
    exec(compile(quick, "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "recursive" in out and "fifo" in out and "of 16376" in out
    assert (tmp_path / "depth.svg").stat().st_size > 10_000


def test_readme_commands_name_real_commands_and_files():
    for command in re.findall(r"`blockstack ([^`]+)`", README):
        words = shlex.split(command)
        result = CliRunner().invoke(app, [words[0], "--help"])
        assert result.exit_code == 0, command
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link


def test_config_reference_is_current():
    """Made by: python -m blockstack.present.reference > docs/config.md"""
    assert (ROOT / "docs/config.md").read_text().splitlines() == list(lines())


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.stem)
def test_pages_are_linked(page):
    assert f"docs/{page.name}" in README
