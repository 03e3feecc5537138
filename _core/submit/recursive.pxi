# <= 2.6.21, block/ll_rw_blk.c generic_make_request: true C recursion. What a driver submits runs
# on top of the caller.


cdef i64 watch_of(State *s, i32 task) noexcept nogil:
    """Packed depth above which deep() must see a hop: the task's peak so far, or its limit."""
    cdef i64 depth = s.peak[task]
    if s.plan.task_limit[task] < depth:
        depth = s.plan.task_limit[task]
    return <i64>(<u64>depth << NEST_BITS) | NEST_MASK  # -1, no peak yet: C shifts no negative


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


cdef inline Node *give_all(State *s, Node *n, u64 sector, u64 nr, i64 spn, bint irq) noexcept nogil:
    """One general driver call and its nested calls; the child to go on with when immediate."""
    cdef size_t base = s.top, top, i
    cdef u64 pieces
    cdef i64 below
    cdef const Bio *bio
    cdef bint selfish
    note_nesting(s, <u64>(spn & NEST_MASK))
    if rare(s.why != BAD_NONE):
        return NULL
    top = map_call(s, n, sector, nr, base)
    if rare(s.why != BAD_NONE):
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
    below = spn + n.step
    for i in range(base, top):
        bio = &s.buf[i]         # the fields one by one: a load of the whole waits for its stores
        if rare(bio.node & <u32>JOB_BIT):
            push_job(s, bio)
        elif rare(selfish):
            recurse(s, &s.nodes[bio.node], bio.sector, bio.nr,
                    below + self_extra(s, n, i, pieces), irq)
        else:
            recurse(s, &s.nodes[bio.node], bio.sector, bio.nr, below, irq)
        if rare(s.why != BAD_NONE):
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
