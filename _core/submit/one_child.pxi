# The hops that all rules shortcut: the whole bio goes to one child.


cdef Node *one_segment(State *s, const Node *n, u64 *sector, u64 nr) noexcept nogil:
    """The child below the segment that holds the whole bio. A call: it would swell the loops."""
    cdef const Seg *seg = segment_at(n, sector[0])
    cdef const Kid *kid = &n.kids[seg.first]
    if sector[0] + nr > seg.end and seg != &n.segs[n.nsegs - 1]:
        return NULL
    sector[0] += kid.offset - seg.begin
    return &s.nodes[kid.node]


cdef inline Node *one_child(State *s, const Node *n, u64 *sector, u64 nr) noexcept nogil:
    """The child that takes the whole bio, where no general call is needed; else NULL."""
    cdef u64 chunk, row, inside
    cdef const Kid *kid
    if n.how <= STEP_REMAP:
        sector[0] += n.delta
        return n.next
    if n.how == STEP_STRIPE:
        chunk = mulhi(sector[0], n.chunk_inv)
        inside = sector[0] - chunk * n.chunk
        if inside + nr > n.chunk:
            return NULL
        row = mulhi(chunk, n.width_inv)
        kid = &n.kids[chunk - row * n.width]
        sector[0] = row * n.chunk + inside + kid.offset
        return &s.nodes[kid.node]
    if n.how == STEP_PICK:
        kid = &n.kids[pick(sector[0], n.width)]
        sector[0] += kid.offset
        return &s.nodes[kid.node]
    if n.how == STEP_SEGMENTS:
        return one_segment(s, n, sector, nr)
    return NULL
