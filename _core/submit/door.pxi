# The door: every array, length and index is checked here, once, so that the loops can trust them.
# Errors are ValueError with the field's name; blockstack.engine.plan.core gives them the house's
# form.

cdef tuple PLAN_FIELDS = (      # name, dtype, what the length is made of
    ("op_kind", "uint8", "P"), ("split", "uint8", "P"), ("immediate", "uint8", "P"),
    ("queue", "int32", "P"), ("task", "int32", "P"), ("limit", "int64", "L"),
    ("context", "uint8", "P5"), ("through", "int32", "P5"), ("peak", "int32", "P5"),
    ("self_bytes", "int32", "P"), ("child_start", "int32", "P1"), ("child", "int32", "C"),
    ("wchild", "int32", "C"), ("child_offset", "int64", "C"), ("seg_start", "int32", "P1"),
    ("seg_begin", "int64", "S"), ("seg_end", "int64", "S"), ("seg_first", "int32", "S"),
    ("seg_width", "int32", "S"), ("seg_chunk", "int64", "S"), ("mapping", "int64", "M"),
    ("roots", "int32", "R"), ("root_threshold", "uint32", "R"), ("rule", "uint8", "5"),
    ("entry", "int32", "R5"), ("task_entry", "int32", "T"), ("task_limit", "int32", "T"),
)

cdef object LIMIT_WORDS = sizeof(LimitRow) // sizeof(i64)
cdef object MOST_BYTES = 1 << 24            # of one frame or path: more is a mistake


def _column(name, array, dtype, length=None):
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: must be a numpy array, got {type(array).__name__}")
    if array.dtype != dtype:
        raise ValueError(f"{name}: must have dtype {dtype}, got {array.dtype}")
    if array.ndim != 1 or not array.flags.c_contiguous:
        raise ValueError(f"{name}: must be one-dimensional and C-contiguous")
    if length is not None and array.shape[0] != length:
        raise ValueError(f"{name}: must have {length} elements, got {array.shape[0]}")
    return array


cdef Py_ssize_t _outside(const void *data, Py_ssize_t count, int size, bint negative, i64 low,
                         i64 high) noexcept nogil:
    """Number of elements outside [low, high], by item size; numpy's reductions cost a run of a
    thousand bios per array."""
    cdef Py_ssize_t i, bad = 0
    if size == 1:
        for i in range(count):
            bad += (<const u8 *>data)[i] < low or (<const u8 *>data)[i] > high
    elif size == 8:
        for i in range(count):
            bad += (<const i64 *>data)[i] < low or (<const i64 *>data)[i] > high
    elif negative:
        for i in range(count):
            bad += (<const i32 *>data)[i] < low or (<const i32 *>data)[i] > high
    else:
        for i in range(count):
            bad += (<const u32 *>data)[i] < low or (<const u32 *>data)[i] > high
    return bad


def _within(name, array, low, high):
    """Every element in [low, high]; the array is a checked column."""
    if array.size == 0:
        return
    if _outside(_at(array), array.size, array.itemsize, array.dtype.kind == "i", low, high):
        at = int(np.flatnonzero((array < low) | (array > high))[0])
        raise ValueError(f"{name}[{at}]: must be in [{low}, {high}], got {array[at]}")


def _cumulative(name, array):
    if array.size == 0 or array[-1] != 0xFFFFFFFF:
        raise ValueError(f"{name}: the last threshold must be 0xFFFFFFFF")
    if np.any(array[1:] < array[:-1]):
        raise ValueError(f"{name}: thresholds must not fall")


def _fields(arrays):
    """The plan's arrays by name, dtypes and lengths checked."""
    sizes = {"5": NOPS}
    for size, field in (("P", "op_kind"), ("C", "child"), ("S", "seg_begin"), ("R", "roots"),
                        ("T", "task_limit")):
        sizes[size] = len(getattr(arrays, field))
    sizes["P1"] = sizes["P"] + 1
    sizes["P5"] = sizes["P"] * NOPS
    sizes["M"] = sizes["P"] * ROW_WORDS
    sizes["L"] = sizes["P5"] * LIMIT_WORDS
    sizes["R5"] = sizes["R"] * NOPS
    if sizes["P"] == 0 or sizes["R"] == 0:
        raise ValueError("op_kind, roots: a plan has at least one position and one root")
    return {name: _column(name, getattr(arrays, name), dtype, sizes[size])
            for name, dtype, size in PLAN_FIELDS}


def _check_csr(name, start, total):
    if start[0] != 0 or start[-1] != total:
        raise ValueError(f"{name}: must begin with 0 and end with {total}")
    if np.any(start[1:] < start[:-1]):
        raise ValueError(f"{name}: must not fall")


def _check_links(f):
    """Children come after their parents (so there is no circle) and run in their parents' task."""
    P = len(f["op_kind"])
    _check_csr("child_start", f["child_start"], len(f["child"]))
    _within("child", f["child"], -1, P - 1)
    _within("wchild", f["wchild"], -1, P - 1)
    _within("child_offset", f["child_offset"], 0, MOST_SECTORS)
    parent = np.repeat(np.arange(P, dtype=np.int32), np.diff(f["child_start"]))
    for name in ("child", "wchild"):
        wrong = np.flatnonzero((f[name] >= 0) & (f[name] <= parent))
        if wrong.size:
            raise ValueError(f"{name}[{wrong[0]}]: positions are numbered parents before children")
    wrong = np.flatnonzero((f["child"] >= 0) & (f["task"][f["child"]] != f["task"][parent]))
    if wrong.size:
        raise ValueError(f"child[{wrong[0]}]: runs in another task than its parent (use wchild)")


def _check_segments(f):
    _check_csr("seg_start", f["seg_start"], len(f["seg_begin"]))
    start, first, width = f["seg_start"], f["seg_first"], f["seg_width"]
    segmented = f["op_kind"] == SEGMENTS
    if np.any(segmented & (np.diff(start) == 0)):
        at = np.flatnonzero(segmented & (np.diff(start) == 0))[0]
        raise ValueError(f"seg_start[{at}]: a position with segments needs at least one")
    owner = np.repeat(np.arange(len(segmented)), np.diff(start))
    head = np.zeros(len(first), dtype=bool)
    head[start[:-1][np.diff(start) > 0]] = True
    _within("seg_width", width, 1, 1 << 20)
    _within("seg_chunk", f["seg_chunk"], 0, MOST_NR)
    _within("seg_end", f["seg_end"], 1, MOST_SECTORS)
    before = np.where(head, 0, np.roll(f["seg_end"], 1))
    low, high = f["child_start"][owner], f["child_start"][owner + 1]
    for wrong, text in (
        (f["seg_begin"] != before, "segments must be contiguous from 0"),
        (f["seg_end"] <= f["seg_begin"], "a segment must end after its begin"),
        ((first < low) | (first.astype(np.int64) + width > high), "children out of range"),
        ((width > 1) & (f["seg_chunk"] == 0), "a stripe needs a chunk"),
    ):
        if np.any(wrong):
            raise ValueError(f"seg_begin[{np.flatnonzero(wrong)[0]}]: {text}")


def _check_mapping(f):
    """Rows that fit their position's mapping and its number of children."""
    kind = f["op_kind"]
    here = np.bincount(kind, minlength=NMAPPINGS).tolist()
    rows = f["mapping"].reshape(-1, ROW_WORDS)
    count = np.diff(f["child_start"]).astype(np.int64)
    for this, fits, text in FITS:
        if not here[this]:
            continue
        mine = np.flatnonzero(kind == this)
        row = rows[mine].T
        if fits is not _has_child and (row.min() < 0 or row[:5].max() > 1 << 62):
            raise ValueError("mapping: numbers must not be negative")
        wrong = mine[~fits(row, count[mine])]
        if wrong.size:
            raise ValueError(f"mapping[{wrong[0] * ROW_WORDS}]: {text}")


def _check_limit(rows):
    """A split must leave something on both sides of every cut."""
    most, _, chunk, physical, logical, how = rows.T
    rest, discard = how == LIMIT_REST, how == LIMIT_DISCARD
    powers = (physical > 0) & (physical & (physical - 1) == 0)
    powers &= (logical > 0) & (logical & (logical - 1) == 0)
    for wrong, text in (
        (how > LIMIT_DISCARD, "no such way to split"),
        ((how != NO_LIMIT) & ((most < 1) | (most > MOST_NR)), "the longest piece is out of range"),
        (rest & ~powers, "blocks are powers of two"),
        (discard & ((chunk < 1) | (physical >= chunk)), "the alignment is below the granularity"),
    ):
        if np.any(wrong):
            raise ValueError(f"limit[{np.flatnonzero(wrong)[0] * LIMIT_WORDS}]: {text}")


def _check_plan(f):
    P, T = len(f["op_kind"]), len(f["task_limit"])
    for name, low, high in (
        ("op_kind", 0, NMAPPINGS - 1), ("split", LOOP, REST_MAPPED), ("immediate", 0, 1),
        ("context", 0, 1), ("task", 0, T - 1), ("limit", 0, MOST_SECTORS),
        ("through", 0, MOST_BYTES), ("peak", 0, MOST_BYTES), ("self_bytes", 0, MOST_BYTES),
        ("roots", 0, P - 1), ("rule", RECURSIVE, LIFO), ("entry", 0, MOST_BYTES),
        ("task_entry", 0, MOST_BYTES),
    ):
        _within(name, f[name], low, high)
    _cumulative("root_threshold", f["root_threshold"])
    _check_links(f)
    _check_segments(f)
    _check_mapping(f)
    _check_limit(f["limit"].reshape(-1, LIMIT_WORDS))


cdef double _reach(Plan *p, double most, double *reach) noexcept nogil:
    """Largest sector that any position can be given: parents come before children, one pass."""
    cdef Py_ssize_t i, k
    cdef double here, top = most
    for i in range(p.P):
        reach[i] = 0.0
    for i in range(p.R):
        reach[p.roots[i]] = most
    for i in range(p.P):
        here = deepest_sector(p.op_kind[i], &p.mapping[i], reach[i])
        for k in range(p.child_start[i], p.child_start[i + 1]):
            if p.child[k] >= 0 and here + p.child_offset[k] > reach[p.child[k]]:
                reach[p.child[k]] = here + p.child_offset[k]
            if p.wchild[k] >= 0 and here + p.child_offset[k] > reach[p.wchild[k]]:
                reach[p.wchild[k]] = here + p.child_offset[k]
        if here > top:
            top = here
    return top


cdef class _Plan:
    """A checked plan: C pointers, and the arrays that keep them alive."""
    cdef Plan c
    cdef dict fields
    cdef object classes

    def __cinit__(self, arrays, double most_sector):
        f = _fields(arrays)
        _check_plan(f)
        self.fields = f
        rows = f["entry"].reshape(-1, NOPS)
        _, classes = np.unique(rows, axis=0, return_inverse=True)
        self.classes = np.ascontiguousarray(classes.reshape(-1), dtype=np.int32)
        self.c.P = len(f["op_kind"])
        self.c.T = len(f["task_limit"])
        self.c.R = len(f["roots"])
        self.c.classes = int(self.classes.max()) + 1
        self.c.entry_class = <const i32 *><size_t>self.classes.ctypes.data
        self._point(f)
        self._measure(most_sector)

    cdef void _measure(self, double most) except *:
        reach = np.empty(self.c.P, dtype=np.float64)
        cdef double top = _reach(&self.c, most, <double *><size_t>reach.ctypes.data)
        if not top < 4.0e18:
            raise ValueError("child_offset: sectors grow past 2**61 on the way down")
        self.c.reach = <u64>(top * 1.001) + 4096

    cdef void _point(self, dict f) except *:
        cdef Plan *c = &self.c
        c.op_kind = <const u8 *>_at(f["op_kind"])
        c.split = <const u8 *>_at(f["split"])
        c.immediate = <const u8 *>_at(f["immediate"])
        c.queue = <const i32 *>_at(f["queue"])
        c.task = <const i32 *>_at(f["task"])
        c.limit = <const LimitRow *>_at(f["limit"])
        c.context = <const u8 *>_at(f["context"])
        c.through = <const i32 *>_at(f["through"])
        c.peak = <const i32 *>_at(f["peak"])
        c.self_bytes = <const i32 *>_at(f["self_bytes"])
        c.child_start = <const i32 *>_at(f["child_start"])
        c.child = <const i32 *>_at(f["child"])
        c.wchild = <const i32 *>_at(f["wchild"])
        c.child_offset = <const i64 *>_at(f["child_offset"])
        c.seg_start = <const i32 *>_at(f["seg_start"])
        c.seg_begin = <const i64 *>_at(f["seg_begin"])
        c.seg_end = <const i64 *>_at(f["seg_end"])
        c.seg_first = <const i32 *>_at(f["seg_first"])
        c.seg_width = <const i32 *>_at(f["seg_width"])
        c.seg_chunk = <const i64 *>_at(f["seg_chunk"])
        c.mapping = <const MappingRow *>_at(f["mapping"])
        c.roots = <const i32 *>_at(f["roots"])
        c.root_threshold = <const u32 *>_at(f["root_threshold"])
        c.rule = <const u8 *>_at(f["rule"])
        c.entry = <const i32 *>_at(f["entry"])
        c.task_entry = <const i32 *>_at(f["task_entry"])
        c.task_limit = <const i32 *>_at(f["task_limit"])


cdef void *_at(array) except? NULL:
    return <void *><size_t>array.ctypes.data
