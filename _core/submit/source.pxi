# The door for workloads: a drawn one (DrawSpec) or explicit columns.


def _check_draw(spec, roots):
    _cumulative("op_threshold", _column("op_threshold", spec.op_threshold, "uint32", NOPS))
    capacity = _column("capacity_sectors", spec.capacity_sectors, "int64", roots)
    _within("capacity_sectors", capacity, 1, MOST_SECTORS)
    _column("size_threshold", spec.size_threshold, "uint32")
    _column("size_sectors", spec.size_sectors, "uint32", len(spec.size_threshold))
    for name, value, low, high in (
        ("op_first", spec.op_first, 0, NOPS - 1), ("size_mode", spec.size_mode, 0, 1),
        ("pattern", spec.pattern, 0, 2), ("align_sectors", spec.align_sectors, 1, MOST_NR),
    ):
        if not low <= value <= high:
            raise ValueError(f"{name}: must be in [{low}, {high}], got {value}")
    if spec.size_mode == 1:
        if spec.size_lo < 1 or spec.size_step < 0 or not 1 <= spec.size_count <= 1 << 32:
            raise ValueError("size_lo, size_step, size_count: must be positive")
        most = spec.size_lo + (spec.size_count - 1) * spec.size_step
    else:
        _cumulative("size_threshold", spec.size_threshold)
        _within("size_sectors", spec.size_sectors, 1, MOST_NR)
        most = int(spec.size_sectors.max())
    if most > MOST_NR or most > int(capacity.min()):
        raise ValueError(f"size: a bio of {most} sectors is larger than a device (or 2**31)")


def _check_pattern(spec, first, count):
    if not 0 <= spec.offset_sectors <= MOST_SECTORS:
        raise ValueError(f"offset_sectors: must be in [0, 2**46], got {spec.offset_sectors}")
    if spec.pattern == 0:
        if not 1 <= spec.span_sectors <= MOST_SECTORS or spec.stride_sectors < 0:
            raise ValueError("span_sectors, stride_sectors: must be positive")
        if (first + count) * spec.stride_sectors >= 1 << 63:
            raise ValueError("stride_sectors: the last bio's place is above 2**63")
    if spec.pattern == 2 and not 1 <= spec.zipf_n <= MOST_SECTORS:
        raise ValueError(f"zipf_n: must be in [1, 2**46], got {spec.zipf_n}")


def _check_columns(columns, roots, first, count):
    op, sector, nr, root = columns
    _column("op", op, "uint8")
    _column("sector", sector, "int64", len(op))
    _column("nr_sectors", nr, "int64", len(op))
    _column("root", root, "int32", len(op))
    if first + count > len(op):
        raise ValueError(f"first, count: bios {first}..{first + count} of {len(op)}")
    part = slice(first, first + count)
    op, sector, nr, root = op[part], sector[part], nr[part], root[part]
    _within("op", op, READ, FUA)
    _within("root", root, 0, roots - 1)
    _within("sector", sector, 0, MOST_SECTORS)
    _within("nr_sectors", nr, 0, MOST_NR)
    flush = op == FLUSH
    if np.any(flush & ((nr != 0) | (sector != 0))):
        raise ValueError("nr_sectors: a flush has sector 0 and nr_sectors 0")
    if np.any(~flush & (nr == 0)):
        at = first + int(np.flatnonzero(~flush & (nr == 0))[0])
        raise ValueError(f"nr_sectors[{at}]: only a flush may have no sectors")
    return op, int((sector + nr).max()) if len(op) else 0


cdef class _Source:
    """A checked workload: C numbers and pointers, and the arrays that keep them alive."""
    cdef Source c
    cdef u32 ops                # bit per op that can come
    cdef double most            # largest end sector
    cdef object keep

    def __cinit__(self, source, Py_ssize_t roots, root_threshold, first, count):
        memset(&self.c, 0, sizeof(Source))
        self.c.span = 1
        self.c.align = 1
        self.c.roots = roots
        self.c.root_threshold = <const u32 *>_at(root_threshold)
        self.keep = (source, root_threshold)
        if hasattr(source, "op_threshold"):
            _check_draw(source, roots)
            _check_pattern(source, first, count)
            self._draw(source)
        else:
            self._columns(source, roots, first, count)

    cdef void _columns(self, columns, Py_ssize_t roots, first, count) except *:
        op, most = _check_columns(columns, roots, first, count)
        self.most = most
        for o in np.unique(op):
            self.ops |= 1 << <int>o
        self.c.columns = True
        self.c.col_op = <const u8 *>_at(columns[0])
        self.c.col_sector = <const i64 *>_at(columns[1])
        self.c.col_nr = <const i64 *>_at(columns[2])
        self.c.col_root = <const i32 *>_at(columns[3])
        self.c.key = mix64(<u64>0x9E3779B97F4A7C15ULL)

    cdef void _draw(self, spec) except *:
        cdef Source *c = &self.c
        cdef int o
        c.key = mix64(<u64>(int(spec.seed) & 0xFFFFFFFFFFFFFFFF) + <u64>0x9E3779B97F4A7C15ULL)
        for o in range(NOPS):
            c.op_threshold[o] = spec.op_threshold[o]
            if o == spec.op_first or (o > spec.op_first
                                      and spec.op_threshold[o] > spec.op_threshold[o - 1]):
                self.ops |= 1 << o
        c.op_first = spec.op_first
        c.size_mode = spec.size_mode
        c.size_threshold = <const u32 *>_at(spec.size_threshold)
        c.size_sectors = <const u32 *>_at(spec.size_sectors)
        c.size_n = spec.size_count if spec.size_mode == 1 else len(spec.size_threshold)
        c.size_lo = spec.size_lo if spec.size_mode == 1 else 0
        c.size_step = spec.size_step if spec.size_mode == 1 else 0
        c.pattern = spec.pattern
        c.align = spec.align_sectors
        c.align_shift = -1
        if c.align & (c.align - 1) == 0:
            c.align_shift = <int>int(spec.align_sectors).bit_length() - 1
        if c.pattern == 0:
            c.stride = spec.stride_sectors
            c.span = spec.span_sectors
        elif c.pattern == 2:
            c.zipf_n = spec.zipf_n
            c.zipf_zetan = spec.zipf_zetan
            c.zipf_second = 1.0 + pow(0.5, spec.zipf_theta)
            c.zipf_eta = spec.zipf_eta
            c.zipf_alpha = spec.zipf_alpha
        c.capacity = <const i64 *>_at(spec.capacity_sectors)
        c.offset = spec.offset_sectors
        self.most = <double>int(spec.capacity_sectors.max()) + <double>spec.offset_sectors


cdef void _irq_from(Irq *q, irq) except *:
    """Fill a thread's interrupt state from an IrqSpec."""
    q.log1p_not = log1p(-<double>irq.per_hop)
    q.classes = len(irq.threshold)
    q.bytes = <const i32 *>_at(irq.bytes)
    q.threshold = <const u32 *>_at(irq.threshold)


def _check_irq(irq):
    """True when interrupts are on."""
    if irq is None or irq.per_hop == 0.0:
        return False
    if not 0.0 <= irq.per_hop < 1.0:
        raise ValueError(f"per_hop: a probability below 1, got {irq.per_hop}")
    _column("irq bytes", irq.bytes, "int32", len(irq.threshold))
    _within("irq bytes", irq.bytes, 0, MOST_BYTES)
    _cumulative("irq threshold", _column("irq threshold", irq.threshold, "uint32"))
    return True
