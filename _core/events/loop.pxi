# The loop: events in order of time, and at each what follows from it at once.


cdef inline void settle(Sim *s) noexcept nogil:
    """Everything that happens at this moment without taking time."""
    cdef u32 item
    while s.n_todo:
        s.n_todo -= 1
        item = s.todo[s.n_todo]
        if item & 1:
            advance(s, item >> 1, False)
        else:
            arrive(s, item >> 1, False)


cdef inline void settle_plain(Sim *s) noexcept nogil:
    """Only first visits of new bios are put off in a plain network."""
    while s.n_todo:
        s.n_todo -= 1
        arrive(s, s.todo[s.n_todo] >> 1, True)


cdef inline void leave(Sim *s, Station *st, u32 slot) noexcept nogil:
    """Sums of a visit that is done, and of the batch that it carried."""
    cdef u32 at = slot
    while at != <u32>NONE:
        st.sojourn += s.now - s.visits[at].arrived
        st.waited += s.visits[at].began - s.visits[at].arrived
        st.done += 1
        st.here -= 1
        todo(s, at, True)
        at = s.visits[at].next


cdef inline void done(Sim *s, u32 slot) noexcept nogil:
    cdef Visit *v = &s.visits[slot]
    cdef Station *st = &s.stations[v.at]
    account(st, s.now)
    leave(s, st, slot)
    st.busy -= 1
    if st.kind == DELAY:
        return
    st.free += 1
    if st.pool >= 0:
        give_core(s, st)
    start_waiting(s, v.at)


cdef inline void done_plain(Sim *s, u32 slot) noexcept nogil:
    """A plain station: nothing but a queue and servers."""
    cdef Visit *v = &s.visits[slot]
    cdef Station *st = &s.stations[s.nodes[v.node].station]
    account(st, s.now)
    st.sojourn += s.now - v.arrived
    st.waited += v.began - v.arrived
    st.done += 1
    st.here -= 1
    if st.head != <u32>NONE:
        serve(s, st, next_of(s, st, True), True)
    else:
        st.busy -= 1
        st.free += 1
    advance(s, slot, True)


cdef inline u32 turn(Stream *stream) noexcept nogil:
    """The job whose turn it is at an open arrival."""
    cdef u32 job = stream.next_job
    stream.next_job = job + 1 if job + 1 < stream.jobs else 0
    return stream.first_job + job


cdef inline void next_arrival(Sim *s, u32 number) noexcept nogil:
    """The event of a stream's next open arrival."""
    cdef Stream *stream = &s.streams[number]
    cdef double at
    if stream.mode == TRACE:
        if s.launched >= s.n_times:
            return
        at = s.times[s.launched]
        push(s, at if at > s.now else s.now, number, EV_ARRIVE)
    elif stream.mode == PACED:
        push(s, s.now + stream.gap_ns, number, EV_ARRIVE)
    else:
        push(s, s.now + stream.gap_ns * exponential(stream.key, &stream.draws), number, EV_ARRIVE)


cdef inline void run_until(Sim *s, u64 target, bint plain) noexcept nogil:
    """Until `target` bios are finished, or the loop must stop (s.why)."""
    cdef Event e
    while s.finished < target and s.why == RUNNING:
        if rare(not pop(s, &e)):
            s.why = STALLED
            return
        s.now = e.at
        if e.kind == EV_DONE:
            if plain:
                done_plain(s, e.slot)
            else:
                done(s, e.slot)
        elif e.kind == EV_ARRIVE:
            launch(s, turn(&s.streams[e.slot]), plain)
            next_arrival(s, e.slot)
        else:
            launch(s, e.slot, plain)
        if plain:
            settle_plain(s)
        else:
            settle(s)


cdef void run_some(Sim *s, u64 target, bint plain) noexcept nogil:
    """Two loops: a network of plain stations pays for nothing else."""
    if plain:
        run_until(s, target, True)
    else:
        run_until(s, target, False)


cdef void forget(Sim *s) noexcept nogil:
    """The end of the warm-up: sums start again, what is in flight stays."""
    cdef u32 i
    cdef Station *st
    for i in range(s.n_stations):
        st = &s.stations[i]
        st.area_here = st.area_busy = st.sojourn = st.waited = 0.0
        st.done = st.merged = 0
        st.last = s.now
        st.most_waiting = st.waiting
    s.most_flying = s.flying
    memset(s.lat, 0, <size_t>s.n_streams * NOPS * SLOTS * sizeof(u64))
    memset(s.clat, 0, <size_t>s.n_streams * NOPS * SLOTS * sizeof(u64))
    memset(s.tally, 0, s.n_streams * NOPS * sizeof(Tally))
    for i in range(s.n_streams * NOPS):
        s.tally[i].lat_min = s.tally[i].slat_min = 1e300
