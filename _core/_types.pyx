# cython: language_level=3, cdivision=True, boundscheck=False, wraparound=False
# cython: initializedcheck=False, autotestdict=False, auto_pickle=False
"""Machine code as flows of values: what a register may hold when a pointer is called.

`decode` reads instructions, `Walker` follows sets of atoms through functions. Sets are numbers;
what an atom is, and what a load from one gives, is asked of the caller once and remembered.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from types.state cimport *

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

#: one instruction: `Ins` of types/state.pxd
INSTRUCTION = np.dtype(
    [("at", "<i8"), ("disp", "<i8"), ("imm", "<i8"), ("to", "<i4"), ("clob", "<u2"), ("op", "u1"),
     ("dst", "i1"), ("src", "i1"), ("base", "i1"), ("index", "i1"), ("gs", "u1"), ("length", "u1"),
     ("head", "u1"), ("spare", "<u2")]
)

include "types/decode.pxi"
include "types/memo.pxi"
include "types/walk.pxi"
