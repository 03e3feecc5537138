# One station: who waits, who is served, and the integrals that its laws are checked with.


cdef inline void account(Station *st, double now) noexcept nogil:
    """Integrals of the number here and of the busy servers, up to now."""
    cdef double span = now - st.last
    st.area_here += span * st.here
    st.area_busy += span * st.busy
    st.last = now


cdef inline void enqueue(Sim *s, Station *st, u32 slot) noexcept nogil:
    s.visits[slot].next = NONE
    if st.head == <u32>NONE:
        st.head = slot
    else:
        s.visits[st.tail].next = slot
    st.tail = slot
    st.waiting += 1
    if st.waiting > st.most_waiting:
        st.most_waiting = st.waiting


cdef inline void unlink(Sim *s, Station *st, u32 before, u32 slot) noexcept nogil:
    """Take a visit out of the queue; `before` is the one in front of it, NONE for the head."""
    cdef u32 after = s.visits[slot].next
    if before == <u32>NONE:
        st.head = after
    else:
        s.visits[before].next = after
    if st.tail == slot:
        st.tail = before
    st.waiting -= 1


cdef u32 choose(Sim *s, Station *st) noexcept nogil:
    """Who is next where the order may change: the one that the head reaches first (a drive knows
    its angle) of the first `lookahead`, unless the oldest has waited too long."""
    cdef u32 slot = st.head, before = NONE, best = slot, best_before = NONE, left = st.lookahead
    cdef double ns, least = 1e300
    if s.now - s.visits[slot].arrived < st.expire_ns:
        while slot != <u32>NONE and left:
            ns = reach(st, s.nodes[s.visits[slot].node].sector, s.now)
            if ns < least:
                least = ns
                best = slot
                best_before = before
            before = slot
            slot = s.visits[slot].next
            left -= 1
    unlink(s, st, best_before, best)
    return best


cdef double absorb(Sim *s, Station *st, u32 slot) noexcept nogil:
    """Back merges: waiting visits that go on where the batch ends are served with it, for the
    time of their transfer. The batch is linked by `next`. Returns the time added."""
    cdef const Node *n = &s.nodes[s.visits[slot].node]
    cdef const Node *m
    cdef i64 end = n.end
    cdef u32 last = slot, at, before, left
    cdef double ns = 0.0
    cdef bint found = True
    s.visits[slot].next = NONE
    while found:
        found = False
        at = st.head
        before = NONE
        left = st.lookahead
        while at != <u32>NONE and left:
            m = &s.nodes[s.visits[at].node]
            if m.sector == end and m.op == n.op and m.end - n.sector <= st.most_sectors:
                unlink(s, st, before, at)
                s.visits[at].next = NONE
                s.visits[at].began = s.now
                s.visits[last].next = at
                last = at
                end = m.end
                ns += m.constant_ns
                st.merged += 1
                found = True
                break
            before = at
            at = s.visits[at].next
            left -= 1
    st.at_sector = end
    return ns


cdef inline void serve(Sim *s, Station *st, u32 slot, bint plain) noexcept nogil:
    """Start the service of a visit that is in no queue."""
    cdef Visit *v = &s.visits[slot]
    cdef double ns = draw_service(st, &s.nodes[v.node], s.now, plain)
    v.began = s.now
    if not plain:
        v.next = NONE
        if st.merge and st.head != <u32>NONE:
            ns += absorb(s, st, slot)
    push(s, s.now + ns, slot, EV_DONE)


cdef inline u32 next_of(Sim *s, Station *st, bint plain) noexcept nogil:
    cdef u32 slot = st.head
    if not plain and st.lookahead > 1 and st.dist == DISK:
        return choose(s, st)
    st.head = s.visits[slot].next
    st.waiting -= 1
    return slot


cdef void start_waiting(Sim *s, u32 number) noexcept nogil:
    """Serve as many as servers and the pool's cores allow."""
    cdef Station *st = &s.stations[number]
    cdef Pool *pool
    while st.free and st.head != <u32>NONE:
        if st.pool >= 0:
            pool = &s.pools[st.pool]
            if pool.free == 0:
                if not st.in_pool:
                    st.in_pool = True
                    st.next_in_pool = NONE
                    if pool.head == <u32>NONE:
                        pool.head = number
                    else:
                        s.stations[pool.tail].next_in_pool = number
                    pool.tail = number
                return
            pool.free -= 1
        st.free -= 1
        st.busy += 1
        serve(s, st, next_of(s, st, False), False)


cdef void give_core(Sim *s, Station *st) noexcept nogil:
    """A core is free again: the task that has waited longest for one runs."""
    cdef Pool *pool = &s.pools[st.pool]
    cdef u32 number
    pool.free += 1
    while pool.free and pool.head != <u32>NONE:
        number = pool.head
        pool.head = s.stations[number].next_in_pool
        s.stations[number].in_pool = False
        account(&s.stations[number], s.now)
        start_waiting(s, number)
