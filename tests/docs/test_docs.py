"""README and docs: what they show runs, and what is generated is current."""

import json
import re
import shlex
from statistics import median

import pytest
from places import ROOT
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.validation.files import SHIPPED, measured_files
from docs._make import article, history, hosts
from docs._make.config import lines

README = (ROOT / "README.md").read_text()


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.slow
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
    """Made by: python -m docs._make.pages config"""
    assert (ROOT / "docs/config.md").read_text().splitlines() == list(lines())


def test_import_page_is_current():
    """Made by: python -m docs._make.pages import"""
    page = (ROOT / "docs/import.md").read_text()
    assert hosts.page(page) == page


@pytest.mark.slow
def test_history_is_current():
    """Made by: python -m docs._make.pages. Its quick sections whole, and rows of the slow one."""
    page = (ROOT / "docs/2005-and-now.md").read_text()
    quick = article.memory, article.deep_path, article.windows
    for section in (*quick, history.layer_costs, history.randomised):
        assert "\n".join(section()) in page, section.__name__
    for name, source, size in ((history.RECURSIVE, "", 4096), (history.SERIALISED[1], "", 4096)):
        row, why = history.fit_row(name, source, size)
        assert row in page.splitlines() and all(line in page for line in why)
    assert article.reiser4_sentence(article.reiser4_words()) in page
    for picture in ("growth", "reiser4"):
        assert f"img/{picture}.svg" in page
        assert (ROOT / f"docs/img/{picture}.svg").stat().st_size > 10_000


def test_history_says_where_figures_come_from():
    """Every table stands under a line that says measured, derived, published or assumed."""
    page = (ROOT / "docs/2005-and-now.md").read_text()
    for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        before, *tables = re.split(r"(?:^\|.*\n)+", part, flags=re.MULTILINE)
        assert tables
        assert re.search(r"[Mm]easured|[Dd]erived|[Pp]ublished|[Aa]ssumed", before), part[:60]


def test_validation_summary_has_the_recorded_set():
    """Made by: python -m docs._make.pages. The figures themselves are the recorded ones."""
    page = (ROOT / "docs/validate.md").read_text()
    for measured in measured_files():
        (row,) = re.findall(rf"^\| {re.escape(measured.name)} \|.*$", page, re.MULTILINE)
        stacks, modelled, holds = (int(cell) for cell in row.split(" | ")[1:4])
        recorded = json.loads((SHIPPED / "bounds" / f"{measured.name}.json").read_text())["stacks"]
        depth = {m.name: m.block.max_bytes for m in measured.stacks}
        bounds = {name: n for name, (n, _) in recorded.items() if n is not None}
        assert (stacks, modelled) == (len(recorded), len(bounds))
        assert holds == sum(n >= depth[name] for name, n in bounds.items())
        ratios = [n / depth[name] for name, n in bounds.items()]
        assert f" {round(median(ratios), 4):.3f}, " in row


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda p: p.stem)
def test_pages_are_linked(page):
    assert f"docs/{page.name}" in README
