# The submission rules. Each outermost call belongs to one task; what its drivers submit runs on top
# of the caller (recursive) or goes to the task's bio_list (the serialised rules).


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


cdef void push_job(State *s, const Bio *bio) noexcept nogil:
    cdef size_t waiting = s.job_tail - s.job_head
    cdef void *more
    if s.job_tail == s.job_cap:
        if s.job_head >= s.job_cap // 2:
            memmove(s.jobs, &s.jobs[s.job_head], waiting * sizeof(Bio))
            s.job_head = 0
            s.job_tail = waiting
        else:
            more = realloc(s.jobs, 2 * s.job_cap * sizeof(Bio)) if waiting < MAX_QUEUE else NULL
            if more == NULL:
                s.why = BAD_MEMORY
                return
            s.jobs = <Bio *>more
            s.job_cap *= 2
    s.jobs[s.job_tail] = bio[0]
    s.jobs[s.job_tail].node &= ~<u32>JOB_BIT
    s.job_tail += 1
    s.njobs += 1
    if waiting + 1 > s.peak_jobs:
        s.peak_jobs = waiting + 1


cdef size_t take_jobs(State *s, size_t base, size_t top) noexcept nogil:
    """Move the jobs among the emissions [base, top) to the job queue; the new top."""
    cdef size_t i, keep = base
    for i in range(base, top):
        if s.buf[i].node & <u32>JOB_BIT:
            push_job(s, &s.buf[i])
        else:
            s.buf[keep] = s.buf[i]
            keep += 1
    return keep


# --- recursive (<= 2.6.21 block/ll_rw_blk.c generic_make_request): true C recursion --------------


cdef i64 watch_of(State *s, i32 task) noexcept nogil:
    """Packed depth above which deep() must see a hop: the task's peak so far, or its limit."""
    cdef i64 depth = s.peak[task]
    if s.plan.task_limit[task] < depth:
        depth = s.plan.task_limit[task]
    return (depth << NEST_BITS) | NEST_MASK


cdef void deep(State *s, i64 depth, bint count) noexcept nogil:
    if count and depth > s.plan.task_limit[s.task]:
        s.overflows[s.task] += 1
    if depth > s.peak[s.task]:
        s.peak[s.task] = depth
        s.peak_bio[s.task] = <i64>s.bio
        s.watch = watch_of(s, s.task)


cdef inline void note_nesting(State *s, u64 nesting) noexcept nogil:
    if nesting > s.peak_nesting:
        s.peak_nesting = nesting
        if nesting > MAX_NESTING:
            s.why = BAD_NESTING


cdef void self_calls(State *s, const Node *n, i64 sp) noexcept nogil:
    """md's bio_pair: each straddled boundary but one is a direct self-call of the driver."""
    cdef i64 own = sp + (n.peak_up >> NEST_BITS)
    cdef i64 more = own + <i64>s.plan.self_bytes[n.pos] * <i64>(s.pieces - 2)
    deep(s, more, own <= s.plan.task_limit[s.task])


cdef i64 self_extra(State *s, const Node *n, size_t at, u64 pieces) noexcept nogil:
    """Packed bytes of the self-calls that are on the stack when piece number part[at] is given."""
    cdef u64 level = s.part[at]
    if level > pieces - 2:
        level = pieces - 2
    return (<i64>s.plan.self_bytes[n.pos] * <i64>level) << NEST_BITS


cdef size_t take_jobs_if_single(State *s, size_t base, size_t top) noexcept nogil:
    """When exactly one emission is the caller's, queue the jobs and return the new top, else 0."""
    cdef size_t i, mine = 0
    for i in range(base, top):
        mine += not s.buf[i].node & <u32>JOB_BIT
    return take_jobs(s, base, top) if mine == 1 else 0


cdef inline Node *one_child(State *s, const Node *n, u64 *sector, u64 nr) noexcept nogil:
    """The child that takes the whole bio, where no general call is needed; else NULL."""
    cdef u64 chunk, row, inside
    cdef const Kid *kid
    if n.how > STEP_PICK:
        return NULL
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
    if n.how == STEP_LINEAR or n.how == STEP_REMAP:
        sector[0] += n.delta
        return n.next
    return NULL


cdef inline Node *give_all(State *s, Node *n, u64 sector, u64 nr, i64 spn, bint irq) noexcept nogil:
    """One general driver call and its nested calls; the child to go on with when immediate."""
    cdef size_t base = s.top, top, i
    cdef u64 pieces
    cdef Bio bio
    cdef bint selfish
    note_nesting(s, <u64>(spn & NEST_MASK))
    if s.why != BAD_NONE:
        return NULL
    top = map_call(s, n, sector, nr, base)
    if s.why != BAD_NONE:
        return NULL
    pieces = s.pieces
    selfish = n.flags & SELF_CALLS and pieces > 2
    if selfish:
        self_calls(s, n, spn >> NEST_BITS)
    if n.immediate and not s.cut:
        if s.gave_jobs:
            i = take_jobs_if_single(s, base, top)
            top = i if i else top
        if top - base == 1 and not s.buf[base].node & <u32>JOB_BIT:
            s.imm_sector = s.buf[base].sector
            s.imm_nr = s.buf[base].nr
            return &s.nodes[s.buf[base].node]
    s.top = top
    for i in range(base, top):
        bio = s.buf[i]
        if bio.node & <u32>JOB_BIT:
            push_job(s, &bio)
        elif selfish:
            recurse(s, &s.nodes[bio.node], bio.sector, bio.nr,
                    spn + n.step + self_extra(s, n, i, pieces), irq)
        else:
            recurse(s, &s.nodes[bio.node], bio.sector, bio.nr, spn + n.step, irq)
        if s.why != BAD_NONE:
            break
    s.top = base
    return NULL


cdef inline void make_request(State *s, Node *n, u64 sector, u64 nr, i64 spn,
                              bint irq) noexcept nogil:
    """generic_make_request, the commonest hops: each ends in at most one call, so that the frame
    stays empty. Everything else is further(). Nesting is noted where the stack ends."""
    n.visits += 1
    if irq:
        irq_hop(s, n, spn >> NEST_BITS)
    if rare(spn + n.peak_up > s.watch):
        deep_and_further(s, n, sector, nr, spn, irq)
    elif n.how == STEP_LINEAR:
        recurse(s, n.next, sector + n.delta, nr, spn + n.step, irq)
    elif n.how == STEP_LEAF:
        n.sectors += nr
        if rare(<u64>(spn & NEST_MASK) > s.peak_nesting):
            note_nesting(s, <u64>(spn & NEST_MASK))
    else:
        go_on(s, n, sector, nr, spn, irq)


cdef inline void further(State *s, Node *n, u64 sector, u64 nr, i64 spn, bint irq) noexcept nogil:
    """The rest of a call that has been counted. The loop is that of drivers that return 1 after a
    remap: generic_make_request runs the lower device in the same frame."""
    cdef Node *child
    cdef bint immediate
    while True:
        if n.how == STEP_LEAF:
            n.sectors += nr
            note_nesting(s, <u64>(spn & NEST_MASK))
            return
        immediate = n.immediate
        child = one_child(s, n, &sector, nr)
        if child == NULL:
            child = give(s, n, sector, nr, spn, irq)
            if child == NULL:
                return
            sector = s.imm_sector
            nr = s.imm_nr
        elif not immediate:
            recurse(s, child, sector, nr, spn + n.step, irq)
            return
        n = child
        n.visits += 1
        if irq:
            irq_hop(s, n, spn >> NEST_BITS)
        if rare(spn + n.peak_up > s.watch):
            deep(s, (spn + n.peak_up) >> NEST_BITS, True)


cdef inline void deep_and_further(State *s, Node *n, u64 sector, u64 nr, i64 spn,
                                  bint irq) noexcept nogil:
    if irq:
        deep_irq(s, n, sector, nr, spn)
    else:
        deep_plain(s, n, sector, nr, spn)


cdef inline void go_on(State *s, Node *n, u64 sector, u64 nr, i64 spn, bint irq) noexcept nogil:
    if irq:
        further_irq(s, n, sector, nr, spn)
    else:
        further_plain(s, n, sector, nr, spn)


cdef inline Node *give(State *s, Node *n, u64 sector, u64 nr, i64 spn, bint irq) noexcept nogil:
    if irq:
        return give_irq(s, n, sector, nr, spn)
    return give_plain(s, n, sector, nr, spn)


cdef inline void recurse(State *s, Node *n, u64 sector, u64 nr, i64 spn, bint irq) noexcept nogil:
    if irq:
        make_request_irq(s, n, sector, nr, spn)
    else:
        make_request_plain(s, n, sector, nr, spn)


# The functions that recurse, without and with interrupts. Inlined into each other they would save
# six registers per hop; CMakeLists.txt keeps the compiler from that.


cdef void make_request_plain(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    make_request(s, n, sector, nr, spn, False)


cdef void make_request_irq(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    make_request(s, n, sector, nr, spn, True)


cdef void further_plain(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    further(s, n, sector, nr, spn, False)


cdef void further_irq(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    further(s, n, sector, nr, spn, True)


cdef void deep_plain(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    deep(s, (spn + n.peak_up) >> NEST_BITS, True)
    further_plain(s, n, sector, nr, spn)


cdef void deep_irq(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    deep(s, (spn + n.peak_up) >> NEST_BITS, True)
    further_irq(s, n, sector, nr, spn)


cdef Node *give_plain(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    return give_all(s, n, sector, nr, spn, False)


cdef Node *give_irq(State *s, Node *n, u64 sector, u64 nr, i64 spn) noexcept nogil:
    return give_all(s, n, sector, nr, spn, True)


cdef inline void recursive_call(State *s, Node *n, u64 sector, u64 nr, i64 sp,
                                bint irq) noexcept nogil:
    s.task = n.task
    s.watch = watch_of(s, n.task)
    s.top = 0
    recurse(s, n, sector, nr, (sp << NEST_BITS) | 1, irq)


# --- serialised rules ----------------------------------------------------------------------------


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


cdef inline void outermost(State *s, Node *n, u64 sector, u64 nr, i64 sp, int rule,
                           bint irq) noexcept nogil:
    """submit_bio by a task in which no driver runs. `rule` is constant where this is inlined."""
    if rule == MIXED:
        rule = n.rule
    if rule == RECURSIVE:
        recursive_call(s, n, sector, nr, sp, irq)
        return
    s.sp = sp
    if rule == FIFO:
        fifo_call(s, n, sector, nr, irq)
    elif rule == TWO_LIST:
        stack_call(s, n, sector, nr, True, irq)
    else:
        stack_call(s, n, sector, nr, False, irq)


cdef inline void run_jobs(State *s, int rule, bint irq) noexcept nogil:
    """The workers' turn: one job after the other, each an outermost call of its own task."""
    cdef Bio job
    cdef Node *n
    while s.job_head < s.job_tail and s.why == BAD_NONE:
        job = s.jobs[s.job_head]
        s.job_head += 1
        n = &s.nodes[job.node]
        outermost(s, n, job.sector, job.nr, s.plan.task_entry[n.task], rule, irq)
    s.job_head = 0
    s.job_tail = 0
