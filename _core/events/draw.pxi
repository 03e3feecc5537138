# Service times. Each station has a stream of its own, numbered by its services: what happens at
# one station does not change the draws at another, so two what-ifs share their luck.

cdef enum:
    PICKS = 64              # most visits that a scheduler looks through
    PASSED = 4096           # sectors that a head may let pass: about two tracks


cdef inline u64 number(u64 key, u64 *draws) noexcept nogil:
    draws[0] += 1
    return mix64(key + draws[0] * <u64>0x9E3779B97F4A7C15ULL)


cdef inline double uniform(u64 key, u64 *draws) noexcept nogil:
    """In (0, 1), neither end included."""
    return (<double>(number(key, draws) >> 11) + 0.5) * (1.0 / 9007199254740992.0)


cdef inline double exponential(u64 key, u64 *draws) noexcept nogil:
    """-log of a uniform number, by the series of atanh: right to 1e-13, the same bits everywhere
    (libm's log is not), and without a call."""
    return minus_log(uniform(key, draws))


cdef double empirical(Station *st) noexcept nogil:
    """Linear between the quantiles, which stand at the middles of equal shares."""
    cdef double u = uniform(st.key, &st.draws) * QUANTILES - 0.5
    cdef int i = <int>u
    if u <= 0.0:
        return st.quantile[0]
    if i >= QUANTILES - 1:
        return st.quantile[QUANTILES - 1]
    return st.quantile[i] + (u - i) * (st.quantile[i + 1] - st.quantile[i])


cdef double reach(const Station *st, i64 sector, double now) noexcept nogil:
    """Time until the head stands over a sector: nothing where the last request ended; else a seek,
    a + b * sqrt(distance) (Ruemmler and Wilkes 1994), and the rest of the rotation. A sector's
    angle is a hash of its number: random places are at random angles, and always at the same."""
    cdef i64 away = sector - st.at_sector
    cdef double ns, turn
    if away == 0:
        return 0.0
    if 0 < away <= PASSED and away * st.pass_ns < st.seek_ns + 0.5 * st.period_ns:
        return away * st.pass_ns    # the head stays: it lets a parity chunk pass
    ns = st.seek_ns + st.seek_root_ns * sqrt(<double>(away if away > 0 else -away))
    if st.period_ns > 0.0:
        turn = (now + ns) / st.period_ns
        turn = <double>(mix64(<u64>sector + 1) >> 11) * (1.0 / 9007199254740992.0) - (
            turn - floor(turn))
        ns += (turn if turn >= 0.0 else turn + 1.0) * st.period_ns
    return ns


cdef inline double draw_service(Station *st, const Node *n, double now, bint plain) noexcept nogil:
    cdef double ns
    if st.dist == EXPONENTIAL:
        return n.random_ns * exponential(st.key, &st.draws) + n.constant_ns
    if st.dist == CONSTANT or plain:
        return n.random_ns + n.constant_ns
    if st.dist == EMPIRICAL:
        return n.random_ns * empirical(st) + n.constant_ns
    ns = reach(st, n.sector, now)
    st.at_sector = n.end
    return ns + n.random_ns + n.constant_ns
