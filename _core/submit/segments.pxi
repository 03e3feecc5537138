# SEGMENTS: dm-linear, dm-stripe, md linear and md raid0. A bio is cut at a segment's end and,
# inside a striped one, at every chunk. A piece's place is found once: its end comes with it.

cdef struct Part:               # the first piece of a bio
    u64 stop                    # where it ends
    u64 lower                   # sector on the child
    u64 k                       # the child


cdef inline const Seg *segment_at(const Node *n, u64 sector) noexcept nogil:
    """The segment that holds `sector`; the last one goes on without end."""
    cdef const Seg *seg = n.segs
    cdef u64 left = n.nsegs, half
    while left > 1:
        half = left >> 1
        seg += half if seg[half].begin <= sector else 0
        left -= half
    return seg


cdef inline Part part_of(const Node *n, u64 sector, u64 end) noexcept nogil:
    cdef const Seg *seg = segment_at(n, sector)
    cdef u64 inside = sector - seg.begin
    cdef u64 chunk, row, edge
    cdef Part part
    part.stop = end
    if seg.end < end and seg != &n.segs[n.nsegs - 1]:
        part.stop = seg.end
    part.k = seg.first
    part.lower = inside
    if seg.chunk == 0:
        return part
    chunk = divide(inside, seg.chunk, seg.chunk_inv)
    edge = seg.begin + (chunk + 1) * seg.chunk
    if edge < part.stop:
        part.stop = edge
    if seg.width > 1:
        row = divide(chunk, seg.width, seg.width_inv)
        part.k += chunk - row * seg.width
        part.lower = inside - (chunk - row) * seg.chunk
    return part


cdef inline size_t give_part(State *s, const Node *n, size_t top, u64 sector,
                             const Part *part) noexcept nogil:
    return hand(s, n, top, part.k, part.lower, part.stop - sector, n.worker)


cdef size_t segments_pieces(State *s, Node *n, size_t top, u64 sector, u64 end,
                            const Part *first) noexcept nogil:
    """LOOP: p0, p1 .. in order. REST_MAPPED: p1 .. first, then p0."""
    cdef u64 at = first.stop
    cdef size_t before = top
    cdef Part part
    if n.split == LOOP:
        top = give_part(s, n, top, sector, first)
        number(s, n, before, top, 0)
    while at < end and s.why == BAD_NONE:
        before = top
        part = part_of(n, at, end)
        top = give_part(s, n, top, at, &part)
        number(s, n, before, top, <u32>s.pieces)
        s.pieces += 1
        s.splits += 1
        at = part.stop
    if n.split == REST_MAPPED:
        top = give_part(s, n, top, sector, first)
    return top


cdef inline size_t segments_call(State *s, Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """What a call emits; of a bio that straddles boundaries, FRONT and REST map one piece only."""
    cdef u64 end = sector + nr
    cdef Part part = part_of(n, sector, end)
    cdef size_t before = top
    if part.stop == end:
        top = give_part(s, n, top, sector, &part)
        number(s, n, before, top, 0)
        return top
    s.cut = True
    if n.split == LOOP or n.split == REST_MAPPED:
        return segments_pieces(s, n, top, sector, end, &part)
    s.splits += 1
    s.pieces = 2
    s.resubmitted = True
    if n.split == FRONT:
        top = give_part(s, n, top, sector, &part)
        return emit(s, top, <u32>(n - s.nodes), part.stop, end - part.stop)
    top = emit(s, top, <u32>(n - s.nodes), part.stop, end - part.stop)
    return give_part(s, n, top, sector, &part)


cdef inline size_t stripe_pieces(State *s, const Node *n, size_t top, u64 sector,
                                 u64 left) noexcept nogil:
    """LOOP and REST_MAPPED over one striped segment in the caller: one division for all chunks."""
    cdef u64 size = n.chunk
    cdef u64 chunk = mulhi(sector, n.chunk_inv)
    cdef u64 row = mulhi(chunk, n.width_inv)
    cdef u64 inside = sector - chunk * size
    cdef u64 base = row * size
    cdef u64 nr = size - inside
    cdef u64 need = mulhi(inside + left - 1, n.chunk_inv) + 1
    cdef const Kid *kid = &n.kids[chunk - row * n.width]
    cdef const Kid *last = &n.kids[n.width - 1]
    cdef size_t i
    cdef Bio *out
    cdef Bio *after
    s.pieces = need
    s.splits += need - 1
    s.cut = s.cut or need > 1
    if not room_for(s, top + need):
        return top
    if rare(n.flags & SELF_CALLS):
        for i in range(need):
            s.part[top + i] = <u32>i
    after = &s.buf[top]
    out = after
    if n.split == LOOP:
        after += 1
    else:
        out += need - 1
    while True:
        if nr > left:
            nr = left
        out.sector = base + inside + kid.offset
        out.nr = <u32>nr
        out.node = kid.node
        left -= nr
        if left == 0:
            return top + need
        out = after
        after += 1
        inside = 0
        nr = size
        if kid == last:
            kid = n.kids
            base += size
        else:
            kid += 1


cdef inline size_t stripe_front(State *s, const Node *n, size_t top, u64 sector,
                                u64 nr) noexcept nogil:
    """FRONT and REST over one striped segment in the caller: one chunk's part, and the rest."""
    cdef u64 chunk = mulhi(sector, n.chunk_inv)
    cdef u64 row = mulhi(chunk, n.width_inv)
    cdef u64 inside = sector - chunk * n.chunk
    cdef u64 front = n.chunk - inside
    cdef size_t first = top, rest = top
    if nr <= front:
        return hand(s, n, top, chunk - row * n.width, row * n.chunk + inside, nr, False)
    if n.split == FRONT:
        rest += 1
    else:
        first += 1
    s.cut = True
    s.resubmitted = True
    s.splits += 1
    s.pieces = 2
    if not room_for(s, top + 2):
        return top
    put(n, &s.buf[first], chunk - row * n.width, row * n.chunk + inside, front)
    s.buf[rest].sector = sector + front
    s.buf[rest].nr = <u32>(nr - front)
    s.buf[rest].node = <u32>(n - s.nodes)
    return top + 2
