# What a mapping says of itself, beside how it maps (map.pxi): whether a row is its own, how far
# down it reaches, which children a call uses, where the driver cuts.

cdef object MOST_SECTORS = 1 << 46          # 32 PiB
cdef object MOST_NR = (1 << 31) - 1


def _is_parity(row, count):
    disks, parity, chunk, level, _, failed, _, block = row
    fine = (disks == count) & (count <= 62) & (parity >= 1) & (count > parity)
    fine &= (parity == np.where(level == 6, 2, 1)) & (level >= 4) & (level <= 6)
    fine &= (chunk > 0) & (chunk % 8 == 0) & (chunk <= MOST_NR)
    fine &= (block % 8 == 0) & (chunk % np.maximum(block, 1) == 0)
    return fine & (failed < np.left_shift(np.int64(1), np.minimum(count, 62)))


def _is_copies(row, count):
    disks, near, far, _, chunk, stride, _, _ = row
    fine = (disks == count) & (near >= 1) & (far >= 1) & (near <= count) & (far <= count)
    fine &= near * np.minimum(far, 1 << 20) <= count
    return fine & (chunk >= 1) & (chunk <= MOST_NR) & (stride <= MOST_SECTORS)


def _is_snapshot(row, count):
    chunk, copied, *_ = row
    return (chunk >= 1) & (chunk <= MOST_NR) & (copied <= 0xFFFFFFFF) & (count >= 1)


def _is_pair(row, count):
    return _is_snapshot(row, count) & (count == 2)


def _is_cache(row, count):
    block, hits, writes, worker, *_ = row
    fine = (block >= 1) & (block <= MOST_NR) & (hits <= 0xFFFFFFFF) & (count >= 2)
    return fine & (writes <= WRITE_AROUND) & (worker <= (FILLED | DRAINED))


def _has_child(row, count):
    return count >= 1


cdef tuple FITS = (             # mapping, whether its row and children fit, what is said if not
    (RAID456, _is_parity, "not the numbers of a raid4/5/6 of its children"),
    (RAID10, _is_copies, "not the numbers of a raid10 of its children"),
    (SNAPSHOT_ORIGIN, _is_snapshot, "not the numbers of a snapshot"),
    (SNAPSHOT, _is_pair, "not the numbers of a snapshot"),
    (CACHE, _is_cache, "not the numbers of a cache"),
    (REMAP, _has_child, "a remap has a child"),
    (MIRROR, _has_child, "a mirror has children"),
    (PATHS, _has_child, "a mirror has children"),
)


cdef double deepest_sector(u8 kind, const MappingRow *row, double here) noexcept nogil:
    """The largest sector that a child may be given where a bio ends at `here`, its offset apart."""
    if kind == RAID10:
        return (here * (row.copies.far if row.copies.offset else 1)
                + (row.copies.near + 1.0) * row.copies.chunk
                + <double>row.copies.far * (row.copies.chunk + row.copies.stride))
    if kind == RAID456:
        return here + row.parity.chunk + 8.0
    if kind == SNAPSHOT_ORIGIN or kind == SNAPSHOT:
        return here + row.snapshot.chunk
    if kind == CACHE:
        return here + row.cache.block
    return here


cdef enum:
    WANT_CHILD = 1
    WANT_JOB = 2
    WANT_JOB_READ = 4
    WANT_JOB_WRITE = 8


cdef inline bint bypassed(const MappingRow *row) noexcept nogil:
    """Whether every read of a raid4/5/6 is cut at its chunks and goes past the stripe cache."""
    return row.parity.flags & ALIGNED_READ and row.parity.failed == 0


cdef u32 wants(const Plan *p, u32 pos, u32 op, u32 k) noexcept nogil:
    """Which links to child k a call of (pos, op) may use."""
    cdef u8 kind = p.op_kind[pos]
    cdef const MappingRow *row = &p.mapping[pos]
    cdef u32 here = WANT_JOB if p.context[NOPS * <size_t>pos + op] else WANT_CHILD
    cdef bint writes = op == WRITE or op == FUA
    cdef u32 through_cache
    if kind == LEAF:
        return 0
    if kind == REMAP:
        return here if k == 0 else 0
    if kind == SNAPSHOT_ORIGIN:
        if not writes:
            return here if k == 0 else 0
        if k:
            return WANT_JOB_WRITE
        return WANT_JOB_READ | WANT_JOB | (here if row.snapshot.copied else 0)
    if kind == SNAPSHOT:
        if writes:
            if k == 0:
                return WANT_JOB_READ
            return WANT_JOB_WRITE | WANT_JOB | (here if row.snapshot.copied else 0)
        return here if op == READ or k == 1 else 0
    if kind == CACHE and op != FLUSH:
        if k > 1:               # its metadata's device: flushes only
            return 0
        if writes:
            if row.cache.writes == WRITE_BACK:
                if k == 0:
                    return WANT_JOB_WRITE if row.cache.worker & DRAINED else 0
                return here | (WANT_JOB_READ if row.cache.worker & DRAINED else 0)
            return here if k == 0 or row.cache.writes == WRITE_THROUGH else 0
        if k == 0:
            return here
        if op != READ:
            return 0
        return ((here if row.cache.hits else 0)
                | (WANT_JOB_WRITE if row.cache.worker & FILLED else 0))
    if kind == RAID456:
        if (row.parity.failed >> k) & 1:
            return 0
        if writes:
            return (WANT_JOB_READ | WANT_JOB
                    | (here if row.parity.flags & FULL_STRIPE_IN_CALLER else 0))
        if op == READ and not bypassed(row):
            through_cache = here if row.parity.flags & READ_IN_CALLER else WANT_JOB
            return through_cache | (here if row.parity.flags & ALIGNED_READ else 0)
        return here
    return here


cdef u8 acts_as(u8 kind, u32 op) noexcept nogil:
    """The mapping whose calls a bio of this operation makes."""
    if op == FLUSH and (kind == SEGMENTS or kind == MIRROR or kind == RAID10 or kind == RAID456
                        or kind == CACHE):
        return EVERY_CHILD
    if kind == MIRROR and op != READ:
        return EVERY_CHILD
    if kind == PATHS:           # whatever the op: as a mirror is read
        return MIRROR
    return kind


cdef void fill_chunk(const Plan *p, Node *n) noexcept nogil:
    """Where the general call cuts a bio of any kind but SEGMENTS, and RAID10's divisors."""
    cdef const MappingRow *row = &p.mapping[n.pos]
    cdef u64 near
    if n.kind == RAID10:
        near = <u64>row.copies.near
        n.chunk = <u64>row.copies.chunk
        n.width = <u32>row.copies.disks
        if mulhi(p.reach, near) == 0:
            n.width_inv = inverse(n.width, p.reach * near)
        n.delta = inverse(near * <u64>row.copies.far, p.reach)
    elif n.kind == RAID456:
        if n.op == READ and bypassed(row):
            n.chunk = <u64>row.parity.chunk
    elif n.kind == SNAPSHOT_ORIGIN or n.kind == SNAPSHOT:
        n.chunk = <u64>row.snapshot.chunk
    elif n.kind == CACHE:
        n.chunk = <u64>row.cache.block
    n.chunk_inv = inverse(n.chunk, p.reach)
