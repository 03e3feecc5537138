"""Interpretation ends whatever the bytes are; data are not code; ORC is never silent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("iced_x86", reason="the extra 'frames' is not installed")

from blockstack.kernel.extract import flow, ops
from blockstack.kernel.extract.flow import Walk
from blockstack.kernel.extract.image import Image, Section, Symbol
from blockstack.kernel.extract.orc import orc_sentence, orc_table
from blockstack.kernel.extract.scan import ranges_of, text_bounds

WORDS = {4, 8}
AMOUNTS = st.one_of(st.integers(-4096, 4096), st.sampled_from([8, -8, -(2**31), 2**31 - 1]))


class Counted(list):
    """The depths of a walk, that count how often one is written."""

    writes = 0

    def __setitem__(self, index, value):
        self.writes += 1
        super().__setitem__(index, value)


@st.composite
def functions(draw):
    """Events at addresses 0, 1, 2 ...: any operation, jumps to anywhere in the function."""
    n = draw(st.integers(1, 24))
    events = []
    for ip in range(n):
        op = draw(st.integers(ops.EDGE, ops.CLOBBER))
        if op in (ops.EDGE, ops.CALL, ops.JMP, ops.JCC):
            a = draw(st.integers(-1, n + 1))
        elif op in (ops.PUSH, ops.POP, ops.ADD):
            a = draw(AMOUNTS)
        elif op == ops.AND:
            a = draw(st.sampled_from([0, 3, 16, 64]))
        else:
            a = draw(st.integers(0, 7))
        events.append((ip, op, a, draw(st.integers(-1, 7)), draw(AMOUNTS)))
    return [*events, (n, ops.JMP, n + 1, 0, 0)]  # the decoder's last: on to the next function


@settings(max_examples=150, deadline=None)
@given(functions(), st.sampled_from(sorted(WORDS)), st.integers(0, 4), st.integers(0, 64))
def test_a_walk_ends_after_a_bounded_number_of_steps(events, word, kind, popped):
    walk = Walk(
        [(0, len(events) - 1, events)], word, lambda _: kind, lambda _: popped, lambda a: [a]
    )
    walk.seen = Counted(walk.seen)
    found = walk.run()
    # once each, and again for what is allowed again in a function
    assert walk.seen.writes <= len(events) + 2 * flow._MAX_CONFLICTS + 1
    assert found.frame >= word


def test_a_loop_that_pops_ends():
    """What data look like when they are read as code; it went round for ever."""
    events = [(0, ops.POP, 8, -1, 0), (1, ops.POP, 8, -1, 0), (2, ops.JMP, 0, 0, 0)]
    assert Walk([(0, 3, events)], 8, lambda _: 0, lambda _: 0, lambda _: []).run().frame == 8


def image(markers, symbols, sections):
    made = Image("vmlinux", "x86_64", False, sections)
    made.markers.update(markers)
    made.symbols = [Symbol(name, addr, 0, True, "") for name, addr in symbols]
    return made


SECTIONS = [
    Section(".text", 0x1000, bytes(0x100), True),
    Section(".data", 0x2000, bytes(0x100), True),  # linked executable
    Section(".init.text", 0x3000, bytes(0x100), True),
    Section(".exit.text", 0x4000, bytes(0x100), True),
]
SYMBOLS = [("f", 0x1000), ("pci_mem_start", 0x2000), ("setup", 0x3000), ("leave", 0x4000)]
LABELS = {"_stext": 0x1000, "_etext": 0x1100, "_sinittext": 0x3000, "_einittext": 0x3100}


def test_symbols_outside_the_text_are_data_whatever_their_letter():
    names = [r.names[0] for r in ranges_of(image(LABELS, SYMBOLS, SECTIONS))]
    assert names == ["f", "setup", "leave"]


def test_without_labels_every_symbol_in_code_counts():
    made = image({"_stext": 0x1000}, SYMBOLS, SECTIONS)
    assert text_bounds(made) == []
    assert len(ranges_of(made)) == 4


@pytest.mark.parametrize("register", [3, 5])
def test_orc_is_read_whatever_number_the_stack_pointer_has(register):
    """5 to 7.0, 3 in 7.3: the kind of entry that functions begin with."""
    plain, other = 0x200 | register, 0x100
    rows = np.array([(8, 0, plain), (32, 0, plain), (0, 0, other), (8, 0, plain)], "<i2,<i2,<u2")
    ips = np.array([0x1000, 0x1008, 0x1010, 0x1020], np.int64)
    ip_addr = 0x8000
    offsets = (ips - ip_addr - 4 * np.arange(4)).astype("<i4")
    made = image(
        LABELS,
        [("f", 0x1000), ("g", 0x1020)],
        [
            *SECTIONS,
            Section(".orc_unwind_ip", ip_addr, offsets.tobytes(), False),
            Section(".orc_unwind", 0x9000, rows.tobytes(), False),
        ],
    )
    table = orc_table(made)
    at = np.array([0x1000, 0x100A, 0x1012, 0x1024], np.uint64)
    assert table.depths(at).tolist() == [8, 32, 0, 8]


def test_orc_is_never_silent():
    assert "no ORC" in orc_sentence(None)
    none = {"functions": 0, "percent": 0.0}
    assert "none could be compared" in orc_sentence(none)
    assert orc_sentence({"functions": 1000, "percent": 99.5}) == "ORC agrees on 99.50 % of 1,000"
