"""Install lines name the checkout: the package index has another project under our name."""

import re
import tomllib

import pytest
from places import ROOT

NAME = "blockstack"
#: `NAME[extra]`, and NAME as a word of an installer's command
EXTRAS = re.compile(rf"(?<![\w.]){NAME}\[")
COMMAND = re.compile(
    r"\b(?:pip3?|pipx|uv|uvx|poetry|conda|mamba|easy_install)\b[^\n|;&]*?"
    rf"\b(?:install|add|run|download)\b[^\n|;&]*?[ \t'\"]{NAME}(?![\w./-])"
)
PLACES = (".ci", ".github", "_core", "bench", NAME, "configs", "docs", "tests")
SUFFIXES = {
    ".py",
    ".pyi",
    ".pyx",
    ".pxd",
    ".pxi",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".sh",
    ".j2",
    "",
}


def texts():
    yield from (p for p in ROOT.iterdir() if p.suffix in (".md", ".toml"))
    for place in PLACES:
        yield from (p for p in (ROOT / place).rglob("*") if p.is_file() and p.suffix in SUFFIXES)


def offences(text):
    found = [m for pattern in (EXTRAS, COMMAND) for m in pattern.finditer(text)]
    return [" ".join(m[0].split()) for m in found]


def test_nothing_names_us_on_the_package_index():
    named = {
        str(path.relative_to(ROOT)): found
        for path in texts()
        if path.name != "test_install.py" and (found := offences(path.read_text(errors="replace")))
    }
    assert not named


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (f"pip install '{NAME}[frames]'", True),
        (f"python -m pip install {NAME}", True),
        (f"uv pip install --upgrade {NAME}", True),
        (f'dev = ["{NAME}[test]"]', True),
        ("pip install '.[frames]'", False),
        (f"pip install . && .venv/bin/{NAME} run configs/a.toml", False),
        (f"pip install . && {NAME} run configs/a.toml", False),
        (f"pip install -e /src/{NAME}/", False),
    ],
)
def test_what_counts(line, wrong):
    assert bool(offences(line)) is wrong


def test_every_extra_that_is_named_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = set(extras["optional-dependencies"])
    named = {
        extra
        for path in texts()
        for words in re.findall(r"pip install '\.\[([a-z,]+)\]'", path.read_text(errors="replace"))
        for extra in words.split(",")
    }
    assert named and named <= known
