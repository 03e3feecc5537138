# From positions to nodes: one node per (position, op, entry class) that a run can reach, with the
# counters inside, so that the loops touch one cache line per hop and never look at an op again.


cdef struct Builder:
    const Plan *plan
    i32 *ids[2]                 # [P*NOPS] node of (position, op): in the caller's class, in workers
    Key *keys
    size_t count
    size_t cap
    Kid *kids
    size_t kid_count
    size_t kid_cap
    int cls_root                # a root of the class that is being built
    int why
    u32 bad_pos
    u32 bad_op


cdef u32 node_id(Builder *b, i64 pos, u32 op, u32 worker) noexcept nogil:
    """The node of (pos, op) in this class, made when it is new."""
    cdef size_t at = NOPS * <size_t>pos + op
    cdef void *more
    cdef Key *key
    if b.ids[worker][at] >= 0:
        return <u32>b.ids[worker][at]
    if b.count == b.cap:
        more = realloc(b.keys, 2 * b.cap * sizeof(Key))
        if more == NULL or b.count >= NO_NODE // 2:
            b.why = BAD_MEMORY
            return 0
        b.keys = <Key *>more
        b.cap *= 2
    key = &b.keys[b.count]
    key.pos = <u32>pos
    key.op = <u8>op
    key.worker = <u8>worker
    key.kid = 0
    if worker:
        key.sp = b.plan.task_entry[b.plan.task[pos]]
    else:
        key.sp = b.plan.entry[NOPS * b.cls_root + op]
    b.ids[worker][at] = <i32>b.count
    b.count += 1
    return <u32>(b.count - 1)


cdef u32 link(Builder *b, i64 target, u32 op, u32 worker, u32 from_pos, u32 from_op) noexcept nogil:
    if target < 0:
        b.why = BAD_LINK
        b.bad_pos = from_pos
        b.bad_op = from_op
        return 0
    return node_id(b, target, op, worker)


cdef void add_kids(Builder *b, size_t at) noexcept nogil:
    """The links of one node, in child order; new nodes join the end of the work list."""
    cdef u32 pos = b.keys[at].pos
    cdef u32 op = b.keys[at].op
    cdef u32 worker = b.keys[at].worker
    cdef const Plan *p = b.plan
    cdef i32 first = p.child_start[pos]
    cdef u32 count = <u32>(p.child_start[pos + 1] - first)
    cdef u32 k, want
    cdef Kid *kid
    cdef void *more
    b.keys[at].kid = b.kid_count
    while b.kid_count + count > b.kid_cap:
        more = realloc(b.kids, 2 * b.kid_cap * sizeof(Kid))
        if more == NULL:
            b.why = BAD_MEMORY
            return
        b.kids = <Kid *>more
        b.kid_cap *= 2
    if p.op_kind[pos] == RAID456 and op == DISCARD:
        b.why = BAD_DISCARD
        b.bad_pos = pos
        return
    for k in range(count):
        kid = &b.kids[b.kid_count]
        b.kid_count += 1
        kid.offset = 0 if op == FLUSH else <u64>p.child_offset[first + k]
        kid.node = kid.job = kid.job_read = kid.job_write = NO_NODE
        want = wants(p, pos, op, k)
        if want & WANT_CHILD:
            kid.node = link(b, p.child[first + k], op, worker, pos, op)
        if want & WANT_JOB:
            kid.job = kid.job_read = link(b, p.wchild[first + k], op, 1, pos, op)
        if want & WANT_JOB_READ:
            kid.job_read = link(b, p.wchild[first + k], READ, 1, pos, op)
        if want & WANT_JOB_WRITE:
            kid.job_write = link(b, p.wchild[first + k], WRITE, 1, pos, op)


cdef void walk(Builder *b, State *s, u32 ops) noexcept nogil:
    """Everything reachable: class by class, breadth first; worker nodes are common to all."""
    cdef const Plan *p = b.plan
    cdef size_t done = 0, first, i
    cdef Py_ssize_t cls, r
    cdef u32 op
    for cls in range(p.classes):
        first = b.count
        for r in range(p.R):
            if p.entry_class[r] != cls:
                continue
            b.cls_root = <int>r
            for op in range(NOPS):
                if (ops >> op) & 1:
                    s.root_node[NOPS * r + op] = node_id(b, p.roots[r], op, 0)
        while done < b.count and b.why == BAD_NONE:
            add_kids(b, done)
            done += 1
        if b.why != BAD_NONE:
            return
        for i in range(first, b.count):
            if not b.keys[i].worker:
                b.ids[0][NOPS * <size_t>b.keys[i].pos + b.keys[i].op] = -1


cdef bint all_linear(const Node *n) noexcept nogil:
    cdef u32 i
    for i in range(n.nsegs):
        if n.segs[i].width != 1 or n.segs[i].chunk != 0:
            return False
    return n.nsegs > 1


cdef u8 step_of(const Plan *p, Node *n) noexcept nogil:
    """What the engines may do with this node without a general driver call."""
    cdef bint one = n.nkids == 1
    if n.worker or n.limit != NULL:
        return STEP_CALL
    if n.kind == LEAF:
        return STEP_LEAF
    if p.P > MAX_NESTING // 2 and n.rule == RECURSIVE:
        return STEP_CALL        # only the general call watches the nesting limit
    if n.kind == SEGMENTS and n.nsegs == 1:
        if n.segs.width == 1 and n.segs.chunk == 0:
            n.delta = n.kids[n.segs.first].offset
            n.next = <Node *><size_t>n.kids[n.segs.first].node
            return STEP_REMAP if n.immediate else STEP_LINEAR
        if n.segs.width > 1 and n.segs.first == 0 and n.segs.chunk_inv and n.segs.width_inv:
            n.chunk = n.segs.chunk
            n.chunk_inv = n.segs.chunk_inv
            n.width = n.segs.width
            n.width_inv = n.segs.width_inv
            return STEP_STRIPE
        return STEP_CALL
    if n.kind == SEGMENTS and all_linear(n):
        return STEP_SEGMENTS
    if n.kind == REMAP or (one and (n.kind == MIRROR or n.kind == EVERY_CHILD)):
        if n.kids[0].node == NO_NODE:
            return STEP_CALL    # a failed member's flush
        n.delta = n.kids[0].offset
        n.next = <Node *><size_t>n.kids[0].node
        return STEP_REMAP if n.immediate else STEP_LINEAR
    if n.kind == MIRROR and inverse(n.nkids, p.reach):
        n.width = n.nkids
        n.width_inv = inverse(n.nkids, p.reach)
        return STEP_PICK
    return STEP_ALL if n.kind == EVERY_CHILD and n.op != FLUSH else STEP_CALL


cdef void fill_node(State *s, const Plan *p, size_t at) noexcept nogil:
    cdef Key *key = &s.keys[at]
    cdef Node *n = &s.nodes[at]
    cdef size_t pos = key.pos
    cdef size_t row = NOPS * pos + key.op
    cdef u32 k
    memset(n, 0, sizeof(Node))
    n.visits = <u64>0 - 1
    n.peak_up = <i64>p.peak[row] << NEST_BITS
    n.step = <i64>p.through[row] << NEST_BITS | 1
    n.kind = acts_as(p.op_kind[pos], key.op)
    n.split = p.split[pos]
    n.immediate = p.immediate[pos]
    n.worker = p.context[row]
    n.op = key.op
    n.rule = p.rule[key.op]
    n.task = p.task[pos]
    n.queue = <u32>p.queue[pos]
    if n.op != FLUSH and p.limit[row].how != NO_LIMIT:
        n.limit = &p.limit[row]
    n.pos = key.pos
    n.kids = &s.kid_arena[key.kid]
    n.nkids = <u32>(p.child_start[pos + 1] - p.child_start[pos])
    n.segs = &s.seg_arena[p.seg_start[pos]]
    n.nsegs = <u32>(p.seg_start[pos + 1] - p.seg_start[pos])
    for k in range(n.nkids):
        if n.kids[k].node != NO_NODE and p.queue[s.keys[n.kids[k].node].pos] == p.queue[pos]:
            n.flags |= KIN
    if n.split == LOOP and p.self_bytes[pos] != 0:
        n.flags |= SELF_CALLS
    fill_chunk(p, n)
    n.how = step_of(p, n)


cdef void fill_segments(State *s, const Plan *p) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef Seg *seg
    for i in range(p.seg_start[p.P]):
        seg = &s.seg_arena[i]
        seg.begin = <u64>p.seg_begin[i]
        seg.end = <u64>p.seg_end[i]
        seg.chunk = <u64>p.seg_chunk[i]
        seg.width = <u32>p.seg_width[i]
        seg.chunk_inv = inverse(seg.chunk, p.reach)
        seg.width_inv = inverse(seg.width, p.reach)
    for i in range(p.P):
        for k in range(p.seg_start[i], p.seg_start[i + 1]):
            s.seg_arena[k].first = <u32>(p.seg_first[k] - p.child_start[i])


cdef bint build(State *s, const Plan *p, u32 ops) noexcept nogil:
    """Make the nodes of one thread's state. False: s.why says what is wrong, s.bad_pos where."""
    cdef Builder b
    cdef size_t i
    cdef void *nodes = NULL
    memset(&b, 0, sizeof(Builder))
    b.plan = p
    b.cap = 64
    b.kid_cap = 64
    b.keys = <Key *>malloc(b.cap * sizeof(Key))
    b.kids = <Kid *>malloc(b.kid_cap * sizeof(Kid))
    for i in range(2):
        b.ids[i] = <i32 *>malloc(NOPS * <size_t>p.P * sizeof(i32))
        if b.ids[i] != NULL:
            memset(b.ids[i], 0xFF, NOPS * <size_t>p.P * sizeof(i32))
    if b.keys == NULL or b.kids == NULL or b.ids[0] == NULL or b.ids[1] == NULL:
        b.why = BAD_MEMORY
    else:
        walk(&b, s, ops)
    free(b.ids[0])
    free(b.ids[1])
    s.keys = b.keys
    s.kid_arena = b.kids
    s.count = b.count
    s.why = b.why
    s.bad_pos = b.bad_pos
    s.bad_op = b.bad_op
    if s.why != BAD_NONE:
        return False
    if posix_memalign(&nodes, 64, (b.count + 1) * sizeof(Node)) != 0:
        s.why = BAD_MEMORY
        return False
    s.nodes = <Node *>nodes
    fill_segments(s, p)
    for i in range(b.count):
        fill_node(s, p, i)
    for i in range(b.count):    # STEP_LINEAR's link was a number until all nodes had an address
        if s.nodes[i].how == STEP_LINEAR or s.nodes[i].how == STEP_REMAP:
            s.nodes[i].next = &s.nodes[<size_t>s.nodes[i].next]
    return True


cdef bint state_init(State *s, const Plan *p, u32 ops) noexcept nogil:
    cdef Py_ssize_t t
    memset(s, 0, sizeof(State))
    s.plan = p
    s.cap = 256
    s.job_cap = 256
    s.buf = <Bio *>malloc(s.cap * sizeof(Bio))
    s.scratch = <Bio *>malloc(s.cap * sizeof(Bio))
    s.part = <u32 *>malloc(s.cap * sizeof(u32))
    s.jobs = <Bio *>malloc(s.job_cap * sizeof(Bio))
    s.seg_arena = <Seg *>malloc((p.seg_start[p.P] + 1) * sizeof(Seg))
    s.root_node = <u32 *>calloc(NOPS * <size_t>p.R, sizeof(u32))
    s.peak = <i64 *>malloc(<size_t>p.T * sizeof(i64))
    s.peak_bio = <i64 *>malloc(<size_t>p.T * sizeof(i64))
    s.overflows = <u64 *>calloc(<size_t>p.T, sizeof(u64))
    if (s.buf == NULL or s.scratch == NULL or s.part == NULL or s.jobs == NULL
            or s.seg_arena == NULL or s.root_node == NULL or s.peak == NULL
            or s.peak_bio == NULL or s.overflows == NULL):
        s.why = BAD_MEMORY
        return False
    for t in range(p.T):
        s.peak[t] = -1
        s.peak_bio[t] = -1
    return build(s, p, ops)


cdef void state_free(State *s) noexcept nogil:
    free(s.buf)
    free(s.scratch)
    free(s.part)
    free(s.jobs)
    free(s.seg_arena)
    free(s.root_node)
    free(s.peak)
    free(s.peak_bio)
    free(s.overflows)
    free(s.keys)
    free(s.kid_arena)
    free(s.nodes)
