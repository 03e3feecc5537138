"""What ``import blockstack as bs`` gives says what it takes, gives and raises."""

import inspect
import re

import pytest

import blockstack as bs

FUNCTIONS = [getattr(bs, name) for name in bs.__all__ if inspect.isfunction(getattr(bs, name))]
PLOTS = [getattr(bs.plot, name) for name in bs.plot.__all__]
CLASSES = [getattr(bs, name) for name in bs.__all__ if inspect.isclass(getattr(bs, name))]


def section(text, name):
    """The lines of one numpydoc section; None: there is none."""
    found = re.search(rf"^{name}\n-{{{len(name)}}}\n(.*?)(?=^\w+\n-+\n|\Z)", text, re.M | re.S)
    return None if found is None else found[1].rstrip()


def named(body):
    """The names that a section describes: ``op, sector : int`` is two."""
    heads = re.findall(r"^(\S[^:\n]*?) : \S.*$|^(\*\*?\w+)$", body, re.M)
    return [name.strip(" *") for head in heads for name in "".join(head).split(",")]


@pytest.mark.parametrize("function", [*FUNCTIONS, *PLOTS], ids=lambda f: f.__qualname__)
def test_every_parameter_is_said(function):
    text = inspect.getdoc(function)
    signature = inspect.signature(function)
    body = section(text, "Parameters")
    assert body is not None and named(body) == list(signature.parameters)
    if signature.return_annotation is not None:
        assert section(text, "Returns")


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__qualname__)
def test_every_function_says_what_can_go_wrong(function):
    body = section(inspect.getdoc(function), "Raises")
    assert re.match(r"(\w+(Error|Exceeded|Kernel)\n    \S)", body)


@pytest.mark.parametrize("thing", CLASSES, ids=lambda c: c.__name__)
def test_every_class_says_its_fields(thing):
    text = inspect.getdoc(thing)
    body = "\n".join(filter(None, (section(text, n) for n in ("Parameters", "Attributes"))))
    public = [n for n in getattr(thing, "__dataclass_fields__", {}) if not n.startswith("_")]
    assert body and set(public) <= set(named(body)), set(public) - set(named(body))


def test_a_missing_parameter_would_be_seen():
    text = "What.\n\nParameters\n----------\na, b : int\n    Bytes.\n*c : str\n**d\n    Rest."
    assert named(section(text, "Parameters")) == ["a", "b", "c", "d"]
    assert section(text, "Returns") is None
