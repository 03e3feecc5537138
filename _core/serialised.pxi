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
            immediate = n.immediate
            child = one_child(s, n, &sector, nr)
            if child == NULL:
                tail = keep_short(s, &head, tail)
                before = tail
                tail = map_call(s, n, sector, nr, tail)
                if rare(s.gave_jobs):
                    tail = take_jobs(s, before, tail)
                if rare(s.why != BAD_NONE):
                    return
                if immediate and tail - before == 1 and not s.cut:
                    tail = before
                    n = &s.nodes[s.buf[tail].node]
                    sector = s.buf[tail].sector
                    nr = s.buf[tail].nr
                    continue
                if tail - head > s.peak_pending:
                    s.peak_pending = tail - head
                if head == tail:
                    return
            else:
                n = child
                if immediate:
                    continue
                s.handed = 1
                if head == tail:
                    continue
                tail = emit(s, tail, <u32>(n - s.nodes), sector, nr)
                if rare(s.why != BAD_NONE):
                    return
        n = &s.nodes[s.buf[head].node]
        sector = s.buf[head].sector
        nr = s.buf[head].nr
        head += 1


cdef void lower_first(State *s, const Node *n, size_t base, size_t top) noexcept nogil:
    """4.11+: list = lower ++ same ++ older (79bd99596b73). The list's head is the buffer's top."""
    cdef size_t i, j
    cdef u32 queue = n.queue
    cdef Bio swap
    if not n.flags & KIN and not s.resubmitted:
        i = base
        j = top - 1
        while i < j:
            swap = s.buf[i]
            s.buf[i] = s.buf[j]
            s.buf[j] = swap
            i += 1
            j -= 1
        return
    memcpy(s.scratch, &s.buf[base], (top - base) * sizeof(Bio))
    j = base
    for i in range(top - base, 0, -1):
        if s.nodes[s.scratch[i - 1].node].queue == queue:
            s.buf[j] = s.scratch[i - 1]
            j += 1
    for i in range(top - base, 0, -1):
        if s.nodes[s.scratch[i - 1].node].queue != queue:
            s.buf[j] = s.scratch[i - 1]
            j += 1


cdef inline void stack_call(State *s, Node *n, u64 sector, u64 nr, bint two_lists,
                            bint irq) noexcept nogil:
    """The two-list rule and the LIFO: both run the newest bios first; s.buf[:top] is the list."""
    cdef size_t top = 0, base
    cdef Node *child
    while True:
        visit(s, n, irq)
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
