"""The list of commands without what stands behind them; what is loaded for it."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.cli.application import COMMANDS

HEAVY = ("numpy", "networkx", "matplotlib", "blockstack.kernel", "blockstack.kinds")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name):
    whole = get_command(app).get_command(None, name)
    first = (whole.help or "").split("\n\n")[0]
    assert " ".join(first.split()) == COMMANDS[name].help


def test_every_command_is_listed():
    every = get_command(app)
    for name in COMMANDS:
        every.get_command(None, name)
    assert every.commands.keys() == COMMANDS.keys()
    out = CliRunner().invoke(app, ["--help"]).output
    assert all(f"│ {name} " in out for name in COMMANDS)


def test_a_name_that_is_none_gets_the_closest():
    out = CliRunner().invoke(app, ["exlpain"])
    assert out.exit_code == 2
    assert "Did you mean 'explain'" in out.output


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_nothing_heavy_is_loaded_for_it(option):
    code = (
        "import atexit, sys; sys.argv = ['blockstack', sys.argv[1]]\n"
        f"atexit.register(lambda: print('loaded', *[m for m in {HEAVY!r} if m in sys.modules]))\n"
        "from blockstack.cli import main; main()"
    )
    out = subprocess.run(
        [sys.executable, "-P", "-c", code, option],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert out.stdout.splitlines()[-1] == "loaded"
