# What a run and a replay begin with: both doors, and the errors that a state stopped with.


cdef void _fail(State *s) except *:
    """Raise what stopped a state."""
    if s.why == BAD_MEMORY:
        raise MemoryError(f"a list of bios could not grow (at most {int(MAX_QUEUE)} bios)")
    if s.why == BAD_NESTING:
        raise RecursionError(f"more than {int(MAX_NESTING)} nested make_request calls")
    if s.why == BAD_LINK:
        raise ValueError(f"child, wchild: position {s.bad_pos} needs a link that is -1 "
                         f"for op {s.bad_op}")
    if s.why == BAD_DISCARD:
        raise ValueError(f"op_kind[{s.bad_pos}]: a raid4/5/6 takes no discard")


cdef tuple _open(arrays, source, first, count):
    """Both doors: a checked source and a checked plan for bios [first, first + count)."""
    if first < 0 or count < 0 or first + count > 1 << 62:
        raise ValueError(f"first, count: must be in [0, 2**62], got {first}, {count}")
    threshold = _column("root_threshold", arrays.root_threshold, "uint32", len(arrays.roots))
    cdef _Source src = _Source(source, len(threshold), threshold, first, count)
    return src, _Plan(arrays, src.most)
