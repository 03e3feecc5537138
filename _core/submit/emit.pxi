# The list that a driver call appends its lower bios to, and one bio of it.


cdef bint grow(State *s) noexcept nogil:
    """Double the bio list. On failure the run stops (state.why), nothing is dropped silently."""
    cdef size_t cap = 2 * s.cap
    cdef void *buf
    cdef void *part
    cdef void *scratch
    if cap > MAX_QUEUE:
        s.why = BAD_MEMORY
        return False
    buf = realloc(s.buf, cap * sizeof(Bio))
    if buf != NULL:
        s.buf = <Bio *>buf
    part = realloc(s.part, cap * sizeof(u32))
    if part != NULL:
        s.part = <u32 *>part
    scratch = realloc(s.scratch, cap * sizeof(Bio))
    if scratch != NULL:
        s.scratch = <Bio *>scratch
    if buf == NULL or part == NULL or scratch == NULL:
        s.why = BAD_MEMORY
        return False
    s.cap = cap
    return True


cdef inline bint room_for(State *s, size_t count) noexcept nogil:
    while rare(count > s.cap):
        if not grow(s):
            return False
    return True


cdef inline size_t emit(State *s, size_t top, u32 node, u64 sector, u64 nr) noexcept nogil:
    if rare(top >= s.cap):
        if not grow(s):
            return top
    s.buf[top].sector = sector
    s.buf[top].nr = <u32>nr
    s.buf[top].node = node
    return top + 1


cdef inline size_t emit_job(State *s, size_t top, u32 node, u64 sector, u64 nr) noexcept nogil:
    s.gave_jobs = True
    return emit(s, top, node | <u32>JOB_BIT, sector, nr)


cdef inline void put(const Node *n, Bio *out, u64 k, u64 sector, u64 nr) noexcept nogil:
    """Child k's bio, where room was made before."""
    cdef const Kid *kid = &n.kids[k]
    out.sector = sector + kid.offset
    out.nr = <u32>nr
    out.node = kid.job | <u32>JOB_BIT if n.worker else kid.node


cdef inline size_t hand(State *s, const Node *n, size_t top, u64 k, u64 sector, u64 nr,
                        bint worker) noexcept nogil:
    """Child k gets a bio: submitted here, or handed to the worker."""
    cdef const Kid *kid = &n.kids[k]
    if worker:
        return emit_job(s, top, kid.job, sector + kid.offset, nr)
    return emit(s, top, kid.node, sector + kid.offset, nr)


cdef inline u64 divide(u64 x, u64 by, u64 inverse) noexcept nogil:
    return mulhi(x, inverse) if inverse else x // by


cdef inline void number(State *s, const Node *n, size_t first, size_t top, u32 at) noexcept nogil:
    """Note which piece the emissions [first, top) belong to, where md's self calls need it."""
    if n.flags & SELF_CALLS:
        while first < top:
            s.part[first] = at
            first += 1
