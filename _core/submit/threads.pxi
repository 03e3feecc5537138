# A run: the range of bios is cut in as many parts as there are threads; each has its own state.

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_t:
        pass
    ctypedef struct pthread_attr_t:
        pass
    int pthread_attr_init(pthread_attr_t *)
    int pthread_attr_destroy(pthread_attr_t *)
    int pthread_attr_setstacksize(pthread_attr_t *, size_t)
    int pthread_create(pthread_t *, const pthread_attr_t *,
                       void *(*)(void *) noexcept nogil, void *)
    int pthread_join(pthread_t, void **)

# 100,000 nested calls at most 50,000 short ones between two checks, about 200 bytes each; the
# kernel only backs what is touched.
cdef enum:
    OUR_STACK = 256 << 20

cdef struct Worker:
    State state
    pthread_t thread
    const Source *source
    u64 first
    u64 count
    int rule
    bint irq
    bint started


cdef inline void run_plain(Worker *w, int rule) noexcept nogil:
    """run_range for the commonest workload: nothing to decide per bio but the bio."""
    cdef State *s = &w.state
    cdef Source d = w.source[0]
    cdef u64 i, root = 0, op = 0, sector = 0, nr = 0
    cdef Node *starts[NOPS]
    cdef const i32 *entry = s.plan.entry
    for op in range(NOPS):
        starts[op] = &s.nodes[s.root_node[op]]
    for i in range(w.first, w.first + w.count):
        draw(&d, i, 0, &root, &op, &sector, &nr, True)
        s.bio = i
        outermost(s, starts[op], sector, nr, entry[op], rule, False)
        if rare(s.job_tail != 0):
            run_jobs(s, rule, False)
        if rare(s.why != BAD_NONE):
            return


cdef void run_range(Worker *w) noexcept nogil:
    """Any source, any rule per op, interrupts or none."""
    cdef State *s = &w.state
    cdef const Source *d = w.source
    cdef u64 i, root = 0, op = 0, sector = 0, nr = 0
    cdef u64 step = d.stride % d.span
    cdef u64 seq = (w.first * d.stride) % d.span
    cdef Node *n
    for i in range(w.first, w.first + w.count):
        if d.columns:
            column(d, i, &root, &op, &sector, &nr)
        else:
            draw(d, i, seq, &root, &op, &sector, &nr, False)
            seq += step
            if seq >= d.span:
                seq -= d.span
        s.bio = i
        n = &s.nodes[s.root_node[NOPS * root + op]]
        if w.irq:
            irq_begin(&s.irq, d.key, i)
            outermost(s, n, sector, nr, s.plan.entry[NOPS * root + op], MIXED, True)
            run_jobs(s, MIXED, True)
        else:
            outermost(s, n, sector, nr, s.plan.entry[NOPS * root + op], MIXED, False)
            run_jobs(s, MIXED, False)
        if rare(s.why != BAD_NONE):
            return


cdef void run_recursive(Worker *w) noexcept nogil:
    run_plain(w, RECURSIVE)


cdef void run_fifo(Worker *w) noexcept nogil:
    run_plain(w, FIFO)


cdef void run_two_list(Worker *w) noexcept nogil:
    run_plain(w, TWO_LIST)


cdef void run_lifo(Worker *w) noexcept nogil:
    run_plain(w, LIFO)


cdef void *worker_main(void *argument) noexcept nogil:
    cdef Worker *w = <Worker *>argument
    if w.irq or not is_plain(w.source):
        run_range(w)
    elif w.rule == RECURSIVE:
        run_recursive(w)
    elif w.rule == FIFO:
        run_fifo(w)
    elif w.rule == TWO_LIST:
        run_two_list(w)
    elif w.rule == LIFO:
        run_lifo(w)
    else:
        run_range(w)
    return NULL


cdef int run_workers(Worker *workers, int count) noexcept nogil:
    """Run all parts on threads with stacks for MAX_NESTING. 0, or an errno of pthreads.

    To start a thread costs as much as some 100,000 hops.
    """
    cdef pthread_attr_t attr
    cdef int i, failed
    if count == 1 and FIFO <= workers[0].rule <= LIFO:
        worker_main(&workers[0])        # nests nothing: the caller's stack will do
        return 0
    failed = pthread_attr_init(&attr)
    if failed:
        return failed
    failed = pthread_attr_setstacksize(&attr, OUR_STACK)
    for i in range(count):
        if failed == 0:
            failed = pthread_create(&workers[i].thread, &attr, worker_main, &workers[i])
            workers[i].started = failed == 0
    for i in range(count):
        if workers[i].started:
            pthread_join(workers[i].thread, NULL)
    pthread_attr_destroy(&attr)
    return failed


cdef int uniform_rule(const Plan *p, u32 ops) noexcept nogil:
    """The rule that all ops of a run follow, or MIXED. Jobs may read and write besides."""
    cdef int rule = -1
    cdef int op
    if ops & ((1 << WRITE) | (1 << FUA)):
        ops |= (1 << READ) | (1 << WRITE)
    for op in range(NOPS):
        if (ops >> op) & 1:
            if rule >= 0 and rule != p.rule[op]:
                return MIXED
            rule = p.rule[op]
    return rule if rule >= 0 else MIXED


cdef void settle(State *s) noexcept nogil:
    """After the loop: what a serialised rule lets us derive from the visits."""
    cdef size_t i
    cdef Node *n
    cdef u64 visits
    if s.handed and s.peak_pending == 0:
        s.peak_pending = 1
    for i in range(s.count):
        n = &s.nodes[i]
        visits = n.visits + 1
        if visits == 0 or n.rule == RECURSIVE:
            continue
        if s.peak_nesting == 0:
            s.peak_nesting = 1
        if s.keys[i].sp + (n.peak_up >> NEST_BITS) > s.plan.task_limit[n.task]:
            s.overflows[n.task] += visits
