"""The words that are written once: nothing in the package types them again."""

import ast
from pathlib import Path

import blockstack as bs
from blockstack.base.registry import OPS, RULES
from blockstack.engine.plan import arrays

PACKAGE = Path(__file__).resolve().parents[2] / "blockstack"


def test_the_plan_numbers_the_registry_s_words():
    assert OPS.index("fua") == arrays.FUA and len(OPS) == arrays.NOPS
    assert RULES.index("lifo") == arrays.LIFO
    assert bs.RULES is RULES


def test_no_module_types_them_again():
    typed = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "registry.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Tuple | ast.List | ast.Set)
        and tuple(getattr(e, "value", None) for e in node.elts) in (OPS, RULES)
    ]
    assert not typed
