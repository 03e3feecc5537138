"""The door of the compiled event loop: hostile arrays are refused by name, or the run ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockstack import _service
from blockstack.engine.capacity.arrays import CLOSED, OPEN, Load
from blockstack.engine.capacity.build import Builder, Flow, StationSpec

#: what an array may be made of by mistake or by malice
EXTREMES = (-(2**62), -1, 0, 1, 2, 7, 255, 2**20, 2**31 - 1)


def network():
    """Two queues, one after the other, and a wire beside the second."""
    builder, flow = Builder(), Flow()
    first = flow.visit(builder.station(StationSpec("cpu", servers=2)), 100.0, after=[])
    flow.visit(builder.station(StationSpec("disk")), 200.0, after=[first])
    flow.visit(builder.station(StationSpec("wire")), 50.0, after=[first])
    builder.template(flow)
    return builder.build()


PLAN = network()
LOADS = (Load(CLOSED, 1, 2), Load(OPEN, gap_ns=500.0))


def ask(plan, load=LOADS[0], **more):
    """The compiled loop itself: nothing in Python stands before it."""
    options = {"bios": 20, "batches": 2, "max_flying": 16} | more
    return dict(_service.run(plan, (load,), **options))


@st.composite
def damaged(draw):
    """The plan with one array of another length, type or layout, or with one value changed."""
    name = draw(st.sampled_from(PLAN._fields))
    array = getattr(PLAN, name).copy()
    how = draw(st.sampled_from(("value", "value", "value", "value", "shorter", "longer", "other")))
    if how == "value" and len(array):
        value = draw(st.sampled_from(EXTREMES))
        if array.dtype.kind == "f":
            value = draw(st.sampled_from((float("nan"), float("inf"), -1.0, 0.0, 1e14, 1e300)))
        with np.errstate(all="ignore"):
            array[draw(st.integers(0, len(array) - 1))] = np.array(value).astype(array.dtype)
    elif how == "shorter":
        array = array[:-1].copy()
    elif how == "longer":
        array = np.append(array, array[-1:] if len(array) else array.dtype.type(0))
    else:
        array = draw(st.sampled_from((array.astype(np.complex64), np.repeat(array, 2)[::2])))
    return PLAN._replace(**{name: array})


@pytest.mark.parametrize("load", LOADS, ids=["closed", "open"])
@settings(max_examples=150, deadline=None)
@given(plan=damaged())
def test_a_damaged_plan_is_refused_or_ends(plan, load):
    try:
        found = ask(plan, load)
    except ValueError as error:
        assert str(error).partition(":")[0].partition("[")[0].isidentifier()
    else:
        assert found["why"] in ("finished", "piled", "stalled", "beyond", "full")


@settings(max_examples=150, deadline=None)
@given(
    mode=st.integers(-1, 5),
    jobs=st.sampled_from(EXTREMES),
    depth=st.sampled_from(EXTREMES),
    gap=st.floats(),
    think=st.floats(),
)
def test_a_hostile_load_is_refused_or_ends(mode, jobs, depth, gap, think):
    load = Load(mode, jobs, depth, gap_ns=gap, think_ns=think)
    try:
        ask(PLAN, load)
    except (ValueError, OverflowError) as error:
        assert str(error)
    except MemoryError:  # said in its documentation: for so many jobs there is none
        assert jobs >= 1 << 20


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"bios": 0}, "bios"),
        ({"bios": -5}, "bios"),
        ({"batches": 0}, "batches"),
        ({"max_flying": 0}, "max_flying"),
        ({"max_flying": 2**40}, "max_flying"),
        ({"warmup": -1}, "warmup"),
    ],
)
def test_wrong_lengths_are_refused(options, part):
    with pytest.raises(ValueError, match=part):
        ask(PLAN, **options)
