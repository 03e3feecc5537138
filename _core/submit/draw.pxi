# The bio generator. Counter based (SplitMix64 over the bio's number): bio i depends on the seed
# and i only, so threads, slices and replays agree.


cdef inline u64 lower_bound(const u32 *threshold, u64 n, u32 x) noexcept nogil:
    """First j with x <= threshold[j]; the last threshold is the largest number. No branches."""
    cdef u64 at = 0, half
    while n > 1:
        half = n >> 1
        at += half * <u64>(threshold[at + half - 1] < x)
        n -= half
    return at


cdef inline u64 place_sequential(const Source *d, u64 at, u64 nr, u64 capacity) noexcept nogil:
    if at + nr > capacity:
        at = capacity - nr
        at -= at % d.align
    return at


cdef inline u64 slots(const Source *d, u64 room) noexcept nogil:
    return room >> d.align_shift if d.align_shift >= 0 else room // d.align


cdef u64 place_zipf(const Source *d, u64 a, u64 room) noexcept nogil:
    """fio's zipf (Gray et al. 1994), ranks scattered over the device by a hash."""
    cdef double u = <double>(a >> 11) * (1.0 / 9007199254740992.0)
    cdef double uz = u * d.zipf_zetan
    cdef double x
    cdef u64 rank, at, last = slots(d, room) * d.align
    if uz < 1.0:
        rank = 0
    elif uz < d.zipf_second:
        rank = 1
    else:
        x = <double>d.zipf_n * pow(d.zipf_eta * u - d.zipf_eta + 1.0, d.zipf_alpha)
        rank = <u64>x if x < <double>d.zipf_n else d.zipf_n - 1
    at = (mix64(rank + d.key) % d.zipf_n) * d.align
    return at if at < last else last


cdef inline bint is_plain(const Source *d) noexcept nogil:
    """The commonest workload gets a loop of its own: one root, even sizes and places, no flush."""
    return (not d.columns and d.roots == 1 and d.size_mode == 1 and d.pattern == 1
            and d.align_shift >= 0 and d.op_first < FLUSH and d.offset == 0
            and d.op_threshold[WRITE] == <u32>0xFFFFFFFFU)


cdef inline void draw(const Source *d, u64 i, u64 seq, u64 *root, u64 *op, u64 *sector,
                      u64 *nr, bint plain) noexcept nogil:
    """Bio i of a drawn workload; `seq` is (i * stride) % span, kept up by the caller."""
    cdef u64 a = mix64(d.key + (2 * i + 1) * <u64>0x9E3779B97F4A7C15ULL)
    cdef u64 b = mix64(d.key + (2 * i + 2) * <u64>0x9E3779B97F4A7C15ULL)
    cdef u32 lo = <u32>b
    cdef u32 hi = <u32>(b >> 32)
    cdef u32 o = <u32>(lo > d.op_threshold[0])
    cdef u64 room
    if not plain:
        o += (<u32>(lo > d.op_threshold[1]) + <u32>(lo > d.op_threshold[2])
              + <u32>(lo > d.op_threshold[3]))
    op[0] = o if o > d.op_first else d.op_first
    root[0] = 0
    if not plain and d.roots > 1:
        root[0] = lower_bound(d.root_threshold, <u64>d.roots, <u32>(mix64(a ^ b) >> 32))
    if not plain and op[0] == FLUSH:
        sector[0] = 0
        nr[0] = 0
        return
    if plain or d.size_mode == 1:
        nr[0] = d.size_lo + ((<u64>hi * d.size_n) >> 32) * d.size_step
    else:
        nr[0] = d.size_sectors[lower_bound(d.size_threshold, d.size_n, hi)]
    room = <u64>d.capacity[root[0]] - nr[0]
    if plain:
        sector[0] = mulhi(a, (room >> d.align_shift) + 1) << d.align_shift
    elif d.pattern == 1:
        sector[0] = mulhi(a, slots(d, room) + 1) * d.align
    elif d.pattern == 0:
        sector[0] = place_sequential(d, seq, nr[0], <u64>d.capacity[root[0]])
    else:
        sector[0] = place_zipf(d, a, room)
    if not plain:
        sector[0] += d.offset


cdef inline void column(const Source *d, u64 i, u64 *root, u64 *op, u64 *sector,
                        u64 *nr) noexcept nogil:
    root[0] = <u64>d.col_root[i]
    op[0] = d.col_op[i]
    sector[0] = <u64>d.col_sector[i]
    nr[0] = <u64>d.col_nr[i]
