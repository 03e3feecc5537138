"""What objects say of themselves in a prompt, in print and in a notebook."""

import dataclasses
from xml.etree import ElementTree

import numpy as np
import pytest
from places import ROOT

import blockstack as bs
from blockstack.base.shown import Listing, Shown
from blockstack.workload.trace import Trace

KERNEL = "linux-6.1-x86_64"
HOSTILE = "<b>\x1b[31m&\u202e'\""


def objects() -> dict[str, object]:
    case = bs.load(str(ROOT / "configs" / "nvme-lvm-luks.toml"))
    kernel = bs.load_kernel(KERNEL)
    found = bs.explain(case.stack, kernel=kernel)
    rows = np.zeros(3, dtype=np.int64)
    return {
        "config": case,
        "stack": case.stack,
        "kernel": kernel,
        "table": kernel.table,
        "explanation": found,
        "task": found.worst,
        "result": bs.simulate(case.stack, case.workload, kernel=kernel, bios=100),
        "levers": bs.headroom_levers(case.stack, kernel=kernel),
        "amplification": bs.amplification(case.stack, case.workload, kernel=kernel),
        "growth": bs.growth(case.stack, "dm-linear", kernel=kernel, rules=["two-list"], most=2),
        "journey": bs.journey(case.stack, case.workload, kernel=kernel),
        "map": bs.stack_map(case.stack, kernel=kernel),
        "trace": Trace(rows, rows.astype(np.int32), rows.astype(np.uint8), rows, rows, ("sda",)),
    }


@pytest.fixture(scope="module")
def shown() -> dict[str, object]:
    return objects()


def test_each_is_one_short_line_in_a_prompt(shown):
    for name, one in shown.items():
        text = repr(one)
        assert len(text) < 250 and "\n" not in text, name
        assert text.startswith(("<", "Stack(")), name


def test_each_is_readable_in_print(shown):
    for name, one in shown.items():
        if isinstance(one, Shown):
            assert str(one).strip(), name
            assert max(len(line) for line in str(one).splitlines()) < 200, name


def test_a_notebook_gets_well_formed_markup(shown):
    for one in shown.values():
        if isinstance(one, Shown):
            page = ElementTree.fromstring(one._repr_html_())
            assert page.find("p/b").text == one.headline()


def test_the_verdict_stands_first(shown):
    found = shown["explanation"]
    worst = found.worst
    assert found.headline().startswith("fits on linux-6.1-x86_64")
    assert f"{worst.peak_bytes:,} of {worst.limit_bytes:,}" in found.headline()
    over = dataclasses.replace(worst, peak_bytes=worst.limit_bytes + 8, fits=False)
    assert "overflows by 8 bytes" in repr(over)
    told = dataclasses.replace(worst, exact=False, fits=None)
    assert "cannot tell: at least" in repr(told)


def test_the_deepest_task_is_the_first_row(shown):
    rows = shown["explanation"].listing()
    assert rows.rows[0][0] == shown["explanation"].worst.task
    assert len(rows.rows) == len(shown["explanation"].tasks)


def test_hostile_names_stay_text(shown):
    task = dataclasses.replace(shown["task"], task=HOSTILE)
    assert "\x1b" not in repr(task) + str(task) + task._repr_html_()
    assert "\u202e" not in task._repr_html_()
    assert "<b>" in ElementTree.fromstring(task._repr_html_()).find("p/b").text


def test_long_lists_say_how_many_more():
    rows = Listing(("n",), [(str(n),) for n in range(1000)])
    assert rows.text()[-1] == "... and 988 more"
    assert "988 more" in rows.html()


def test_a_bar_is_the_share_of_the_limit():
    rows = Listing(("n",), [("1",), ("2",)], [0.5, 9.0], [True, False])
    bars = ElementTree.fromstring(rows.html()).findall(".//rect")
    assert [bar.get("width") for bar in bars] == ["60.0", "150.0"]
    assert bars[0].get("fill") != bars[1].get("fill")
