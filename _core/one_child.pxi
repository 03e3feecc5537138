# The hops that all rules shortcut: the whole bio goes to one child.


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
        chunk = sector[0] >> 7
        kid = &n.kids[chunk - mulhi(chunk, n.width_inv) * n.width]
        sector[0] += kid.offset
        return &s.nodes[kid.node]
    return NULL
