# Jobs: bios that a driver hands to a worker, which has its own task, stack and bio_list.


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
