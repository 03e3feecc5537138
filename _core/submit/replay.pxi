# One bio, call by call: the same mapping as the engines, a slower recorder, its own queues.


cdef list _emissions(State *s, size_t top, i64 sp, i64 nesting, const Node *n, bint recursive):
    """The latest driver call's emissions as (node, sector, nr, sp, nesting, job)."""
    cdef size_t i
    cdef i64 at
    cdef bint selfish = recursive and n.flags & SELF_CALLS and s.pieces > 2
    out = []
    for i in range(top):
        at = sp
        if recursive:
            at += n.step >> NEST_BITS
            if selfish and not s.buf[i].node & <u32>JOB_BIT:
                at += self_extra(s, n, i, s.pieces) >> NEST_BITS
        out.append((s.buf[i].node & ~<u32>JOB_BIT, s.buf[i].sector, s.buf[i].nr, at,
                    nesting + (1 if recursive else 0), bool(s.buf[i].node & <u32>JOB_BIT)))
    return out


cdef tuple _frame(State *s, list calls, jobs, tuple bio, bint recursive):
    """One make_request frame with its immediate remaps: (last node, its emissions, its index)."""
    cdef Node *n
    cdef size_t top
    cdef i64 own
    node, sector, nr, sp, nesting, parent = bio
    if nesting > MAX_NESTING:
        raise RecursionError(f"more than {MAX_NESTING} nested calls")
    while True:
        n = &s.nodes[<u32>node]
        top = map_call(s, n, sector, nr, 0)
        if s.why != BAD_NONE:
            raise MemoryError("a list of bios could not grow")
        own = <i64>sp + (n.peak_up >> NEST_BITS)
        if recursive and n.split == LOOP and s.pieces > 2:
            own += <i64>s.plan.self_bytes[n.pos] * <i64>(s.pieces - 2)
        me = len(calls)
        calls.append((n.task, n.pos, n.op, sector, nr, sp, own, nesting, parent))
        out = _emissions(s, top, sp, nesting, n, recursive)
        mine = [e for e in out if not e[5]]
        if not (n.immediate and len(mine) == 1 and not s.cut):
            return node, out, me
        jobs.extend((e[0], e[1], e[2], me) for e in out if e[5])
        node, sector, nr = mine[0][:3]
        parent = me


cdef void _task(State *s, list calls, jobs, tuple bio) except *:
    """An outermost call and everything its task then does, under the op's rule."""
    cdef int rule = s.nodes[<u32>bio[0]].rule
    todo = deque([(*bio[:5], bio[5], False)])
    while todo:
        *head, job = todo.popleft()
        if job:                 # reached in program order between two nested calls
            jobs.append((head[0], head[1], head[2], head[5]))
            continue
        node, out, me = _frame(s, calls, jobs, tuple(head), rule == RECURSIVE)
        new = [(e[0], e[1], e[2], e[3], e[4], me, e[5]) for e in out]
        if rule == RECURSIVE:
            todo.extendleft(reversed(new))
            continue
        jobs.extend((e[0], e[1], e[2], me) for e in new if e[6])
        new = [e for e in new if not e[6]]
        if rule == FIFO:
            todo.extend(new)
        elif rule == LIFO:
            todo.extendleft(new)
        else:
            queue = s.nodes[<u32>node].queue
            lower = [e for e in new if s.nodes[<u32>e[0]].queue != queue]
            same = [e for e in new if s.nodes[<u32>e[0]].queue == queue]
            todo.extendleft(reversed(lower + same))


cdef list _calls(State *s, _Source src, _Plan plan, u64 i):
    """The calls that source bio i causes."""
    cdef u64 root = 0, op = 0, sector = 0, nr = 0
    calls = []
    jobs = deque()
    if src.c.columns:
        column(&src.c, i, &root, &op, &sector, &nr)
    else:
        draw(&src.c, i, (i * src.c.stride) % src.c.span, &root, &op, &sector, &nr, False)
    _task(s, calls, jobs, (s.root_node[NOPS * root + op], sector, nr,
                           plan.c.entry[NOPS * root + op], 1, -1))
    while jobs:
        node, at, count, parent = jobs.popleft()
        sp = plan.c.task_entry[s.nodes[<u32>node].task]
        _task(s, calls, jobs, (node, at, count, sp, 1, parent))
    return calls


def replays(arrays, source, bios):
    """`replay` of each of a sequence of source bios, one list each, as they are asked for; the
    plan is checked and its nodes are made once, whatever the bios' order."""
    cdef State s
    cdef _Source src
    cdef _Plan plan
    if not len(bios):
        return
    first = min(bios)
    src, plan = _open(arrays, source, first, max(bios) - first + 1)
    try:
        if not state_init(&s, &plan.c, src.ops):
            _fail(&s)
        for index in bios:
            yield _calls(&s, src, plan, index)
    finally:
        state_free(&s)


def replay(arrays, source, index):
    """The driver calls that one source bio causes, in the order in which they are entered.

    Parameters
    ----------
    arrays : PlanArrays
    source : DrawSpec or tuple of arrays
        As for `run`.
    index : int
        Number of the source bio.

    Returns
    -------
    list of tuple
        (task, position, op, sector, nr_sectors, depth_at_entry bytes, own_depth bytes, nesting,
        parent call's number or -1).

    Raises
    ------
    ValueError
        An array, a length or an index is wrong.
    RecursionError
        More than 100,000 nested calls.
    """
    return next(replays(arrays, source, (index,)))
