# Interrupts on a shared stack: they strike a hop with a fixed probability. Own stream of draws per
# source bio, so that switching them on changes no other number.


cdef inline u64 irq_draw(Irq *q) noexcept nogil:
    cdef u64 c = mix64(q.base + q.draws * <u64>0x9E3779B97F4A7C15ULL)
    q.draws += 1
    return c


cdef void irq_wait(Irq *q) noexcept nogil:
    """Hops until the next strike: geometric, from one uniform number."""
    cdef double u = <double>(irq_draw(q) >> 11) * (1.0 / 9007199254740992.0)
    cdef double hops = floor(log(u + 1.0 / 18014398509481984.0) / q.log1p_not)
    q.countdown = <u64>hops if hops < 4611686018427387904.0 else <u64>1 << 62


cdef void irq_begin(Irq *q, u64 key, u64 i) noexcept nogil:
    q.base = mix64(key ^ <u64>0x1234567) + (i << 20) * <u64>0x9E3779B97F4A7C15ULL
    q.draws = 0
    irq_wait(q)


cdef void irq_strike(State *s, const Node *n, i64 sp) noexcept nogil:
    cdef Irq *q = &s.irq
    cdef u64 c = irq_draw(q)
    cdef u64 peak = <u64>(n.peak_up >> NEST_BITS)
    cdef u64 k = lower_bound(q.threshold, <u64>q.classes, <u32>c)
    cdef i64 depth = sp + <i64>(((c >> 32) * (peak + 1)) >> 32) + q.bytes[k]
    q.strikes += 1
    q.overflows += <u64>(depth > s.plan.task_limit[n.task])
    if depth > q.peak:
        q.peak = depth
    irq_wait(q)


cdef inline void irq_hop(State *s, const Node *n, i64 sp) noexcept nogil:
    if s.irq.countdown == 0:
        irq_strike(s, n, sp)
    else:
        s.irq.countdown -= 1
