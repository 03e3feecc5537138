# The serialised rules: what drivers submit goes to the bio_list of the task, whose outermost call
# takes bios from it one by one.


cdef void first_visit(State *s, const Node *n) noexcept nogil:
    """Under a serialised rule a hop's depth is the node's: the first visit decides the peak."""
    cdef i64 depth = s.sp + (n.peak_up >> NEST_BITS)
    if depth > s.peak[n.task]:
        s.peak[n.task] = depth
        s.peak_bio[n.task] = <i64>s.bio


cdef inline void visit(State *s, Node *n, bint irq) noexcept nogil:
    n.visits += 1
    if rare(n.visits == 0):
        first_visit(s, n)
    if irq:
        irq_hop(s, n, s.sp)


cdef inline size_t keep_short(State *s, size_t *head, size_t tail) noexcept nogil:
    """Move a long-lived FIFO back to the front of its buffer when half of that is spent."""
    if tail < 64 or head[0] < tail >> 1:
        return tail
    tail -= head[0]
    memmove(s.buf, &s.buf[head[0]], tail * sizeof(Bio))
    head[0] = 0
    return tail


cdef inline void fifo_call(State *s, Node *n, u64 sector, u64 nr, bint irq) noexcept nogil:
    """2.6.22 .. 4.10: what drivers submit goes to the end of the task's list (d89d87965dcb).

    s.buf[head:tail] is the list. A single child of an empty list is handed on in registers.
    """
    cdef size_t head = 0, tail = 0, before
    cdef Node *child
    cdef bint immediate
    while True:
        visit(s, n, irq)
        if n.how == STEP_REMAP:     # in the same frame, whatever waits
            sector += n.delta
            n = n.next
            continue
        if head == tail and n.how == STEP_LINEAR:
            s.handed = 1
            while True:
                sector += n.delta
                n = n.next
                visit(s, n, irq)
                if n.how != STEP_LINEAR:
                    break
        if n.how == STEP_LEAF:
            n.sectors += nr
            if head == tail:
                return
        else:
            child = one_child(s, n, &sector, nr)
            if child != NULL:
                immediate = n.immediate
                n = child
                if immediate:
                    continue
                s.handed = 1
                if head == tail:
                    continue
                tail = emit(s, tail, <u32>(n - s.nodes), sector, nr)
                if rare(s.why != BAD_NONE):
                    return
            else:
                tail = keep_short(s, &head, tail)
                before = tail
                tail = map_call(s, n, sector, nr, tail)
                if rare(s.gave_jobs):
                    tail = take_jobs(s, before, tail)
                if rare(s.why != BAD_NONE):
                    return
                if n.immediate and tail - before == 1 and not s.cut:
                    tail = before
                    n = &s.nodes[s.buf[tail].node]
                    sector = s.buf[tail].sector
                    nr = s.buf[tail].nr
                    continue
                if tail - head > s.peak_pending:
                    s.peak_pending = tail - head
                if head == tail:
                    return
        n = &s.nodes[s.buf[head].node]
        sector = s.buf[head].sector
        nr = s.buf[head].nr
        head += 1


cdef inline void exchange(Bio *a, Bio *b) noexcept nogil:
    """Field by field: a load of the whole would wait for the stores of its parts."""
    cdef u64 sector = a.sector
    cdef u32 nr = a.nr, node = a.node
    a.sector = b.sector
    a.nr = b.nr
    a.node = b.node
    b.sector = sector
    b.nr = nr
    b.node = node


cdef void lower_first(State *s, const Node *n, size_t base, size_t top) noexcept nogil:
    """4.11+: list = lower ++ same ++ older (79bd99596b73). The list's head is the buffer's top."""
    cdef Bio *first = &s.buf[base]
    cdef Bio *last = &s.buf[top - 1]
    cdef const Bio *old
    cdef u32 queue = n.queue
    if top - base == 2:
        if s.nodes[first.node].queue != queue or s.nodes[last.node].queue == queue:
            exchange(first, last)
        return
    if not n.flags & KIN and not s.resubmitted:
        while first < last:
            exchange(first, last)
            first += 1
            last -= 1
        return
    memcpy(s.scratch, first, (top - base) * sizeof(Bio))
    old = &s.scratch[top - base]
    while old > s.scratch:
        old -= 1
        if s.nodes[old.node].queue == queue:
            first[0] = old[0]
            first += 1
    old = &s.scratch[top - base]
    while old > s.scratch:
        old -= 1
        if s.nodes[old.node].queue != queue:
            first[0] = old[0]
            first += 1


cdef inline void stack_call(State *s, Node *n, u64 sector, u64 nr, bint two_lists,
                            bint irq) noexcept nogil:
    """The two-list rule and the LIFO: both run the newest bios first; s.buf[:top] is the list."""
    cdef size_t top = 0, base
    cdef Node *child
    while True:
        visit(s, n, irq)
        if n.how == STEP_REMAP:
            sector += n.delta
            n = n.next
            continue
        if n.how == STEP_LINEAR:
            s.handed = 1
            while True:
                sector += n.delta
                n = n.next
                visit(s, n, irq)
                if n.how != STEP_LINEAR:
                    break
        if n.how == STEP_LEAF:
            n.sectors += nr
        else:
            child = one_child(s, n, &sector, nr)
            if child != NULL:
                s.handed |= not n.immediate
                n = child
                continue
            base = top
            top = map_call(s, n, sector, nr, base)
            if rare(s.gave_jobs):
                top = take_jobs(s, base, top)
            if rare(s.why != BAD_NONE):
                return
            if n.immediate and top - base == 1 and not s.cut:
                top = base
                n = &s.nodes[s.buf[top].node]
                sector = s.buf[top].sector
                nr = s.buf[top].nr
                continue
            if top > s.peak_pending and top != base:
                s.peak_pending = top
            if two_lists and top - base > 1:
                lower_first(s, n, base, top)
        if top == 0:
            return
        top -= 1
        n = &s.nodes[s.buf[top].node]
        sector = s.buf[top].sector
        nr = s.buf[top].nr
