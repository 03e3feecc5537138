# One outermost call, under the task's rule, and the workers' turn after it.


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
