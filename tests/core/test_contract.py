"""The core's .pxd files and the package's Python write the same numbers and records."""

import re
from pathlib import Path

import numpy as np
import pytest

from blockstack.engine.capacity import arrays as service
from blockstack.engine.plan import arrays, mappings
from blockstack.engine.plan.arrays import LimitRow
from blockstack.engine.plan.mappings import ROWS

COMMON = Path(__file__).parent.parent.parent / "_core" / "common"
ENUM = re.compile(r"^cdef enum:[^\n]*\n((?:    [^\n]*\n)+)", re.M)
RECORD = re.compile(r"^cdef (?:struct|union) (\w+):[^\n]*\n((?:    [^\n]*(?:\n|\Z))+)", re.M)
CONSTANT = re.compile(r"^    (\w+) = (\w+)", re.M)
FIELD = re.compile(r"^    (?:const )?(\w+) \*?(\w+)", re.M)


def constants(*files: str) -> dict[str, int]:
    text = "\n".join((COMMON / file).read_text() for file in files)
    return {
        name: int(value, 0) for body in ENUM.findall(text) for name, value in CONSTANT.findall(body)
    }


def records(file: str) -> dict[str, list[tuple[str, str]]]:
    """(type, name) of every field of a file's structs."""
    return {name: FIELD.findall(body) for name, body in RECORD.findall((COMMON / file).read_text())}


def numbers(*modules: object) -> dict[str, int]:
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if name.isupper() and name[0] != "_" and isinstance(value, int)
    }


def test_numbers_of_the_plan():
    written = constants("ops.pxd", "plan.pxd", "mappings.pxd")
    assert {"FUA", "LIFO", "CACHE", "REST_MAPPED", "WORKER", "LIMIT_DISCARD"} <= set(written)
    # what only Python names: the width of a row of limits, the unit of shares
    assert numbers(arrays, mappings) == written | {
        "NLIMITS": len(LimitRow._fields),
        "WHOLE": 2**32 - 1,
    }


def test_numbers_of_the_event_loop():
    assert numbers(service) == constants("service.pxd")


@pytest.mark.parametrize("record", [*dict.fromkeys(ROWS.values()), LimitRow])
def test_rows_have_the_same_words(record):
    fields = (records("mappings.pxd") | records("plan.pxd"))[record.__name__]
    assert fields == [("i64", name) for name in record._fields]
    assert len(fields) <= mappings.ROW_WORDS


def test_columns_of_the_plan():
    """Same names in the same order, and pointers to the elements' type."""
    width = {"LimitRow": "int64", "MappingRow": "int64"} | {
        f"{kind[0]}{bits}": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 32, 64)
    }
    written = {
        name: width[kind]
        for kind, name in records("plan.pxd")["Plan"]
        if kind in width and name not in ("entry_class", "reach")
    }
    asked = {
        name: np.dtype(hint.__args__[1].__args__[0]).name
        for name, hint in arrays.PlanArrays.__annotations__.items()
    }
    assert list(written.items()) == list(asked.items())
