# Bios through their visits: a bio's template is a graph of nodes without circles, and a node is
# visited when all of its predecessors are done (a raid1 write's join, a raid5 write after its
# reads).


cdef inline void todo(Sim *s, u32 slot, bint done) noexcept nogil:
    s.todo[s.n_todo] = slot << 1 | <u32>done
    s.n_todo += 1


cdef inline u32 stream_of(Sim *s, u32 job, bint plain) noexcept nogil:
    """A plain network has one stream."""
    return 0 if plain else s.stream_of[job]


cdef inline u32 station_of(Sim *s, const Node *n, u32 bio, bint plain) noexcept nogil:
    """Where a visit goes. Which of like stations is a draw of its own: a place's bits are mixed by
    the drive's own map, and the same template stands for many places."""
    cdef Station *st
    if not plain and n.flags & PER_JOB:
        return n.station + s.bios[bio].job
    if not plain and n.flags & SPREAD:
        st = &s.stations[n.station]
        return n.station + <u32>mulhi(number(st.key, &st.picks), st.spread)
    return n.station


cdef inline u32 tokens(const Node *n) noexcept nogil:
    """How many a visit takes or gives back: a range's length, where it has one."""
    return <u32>(n.end - n.sector) if n.end > n.sector else 1


cdef inline void arrive(Sim *s, u32 slot, bint plain) noexcept nogil:
    """A visit's predecessors are done."""
    cdef Visit *v = &s.visits[slot]
    cdef const Node *n = &s.nodes[v.node]
    cdef u32 at = station_of(s, n, v.bio, plain)
    cdef Station *st = &s.stations[at]
    v.at = at
    if not plain and n.flags & RELEASE:
        release(s, st, slot)
        return
    account(st, s.now)
    v.arrived = s.now
    st.here += 1
    if not plain and st.kind == DELAY:
        st.busy += 1
        serve(s, st, slot, False)
    elif st.free and st.head == <u32>NONE and (plain or st.pool < 0 and st.kind == QUEUE):
        st.free -= 1
        st.busy += 1
        serve(s, st, slot, plain)
    elif not plain and st.kind == TOKENS and st.head == <u32>NONE and st.free >= tokens(n):
        v.began = s.now
        st.free -= tokens(n)
        st.busy += tokens(n)
        todo(s, slot, True)
    else:
        enqueue(s, st, slot)
        if not plain and st.pool >= 0:
            start_waiting(s, at)


cdef void release(Sim *s, Station *st, u32 slot) noexcept nogil:
    """Give tokens back; whoever waits for them goes on, nobody before the first."""
    cdef u32 waiting, count = tokens(&s.nodes[s.visits[slot].node])
    account(st, s.now)
    s.visits[slot].arrived = s.now
    s.visits[slot].began = s.now
    st.here -= 1
    st.done += 1
    st.free += count
    st.busy -= count
    while st.head != <u32>NONE:
        count = tokens(&s.nodes[s.visits[st.head].node])
        if st.free < count:
            break
        waiting = next_of(s, st, True)
        st.free -= count
        st.busy += count
        s.visits[waiting].began = s.now
        st.waited += s.now - s.visits[waiting].arrived
        todo(s, waiting, True)
    todo(s, slot, True)


cdef void note(Sim *s, u32 slot) noexcept nogil:
    """A row for the picture of a bio's journey."""
    cdef const Visit *v = &s.visits[slot]
    cdef double *row
    if s.n_rows == s.most_rows:
        return
    row = &s.rows[6 * <size_t>s.n_rows]
    row[0] = <double>s.bios[v.bio].number
    row[1] = <double>v.at
    row[2] = <double>v.node
    row[3] = v.arrived
    row[4] = v.began
    row[5] = s.now
    s.n_rows += 1


cdef inline void advance(Sim *s, u32 slot, bint plain) noexcept nogil:
    """A visit is done: its successors, and perhaps its bio. A plain bio is a chain: its visits
    are filled in as it goes."""
    cdef Visit *v = &s.visits[slot]
    cdef const Node *n = &s.nodes[v.node]
    cdef u32 bio = v.bio, base = slot - n.local, i, next_slot
    cdef Bio *b = &s.bios[bio]
    if plain:
        if n.count:
            s.visits[slot + 1].node = v.node + 1
            s.visits[slot + 1].bio = bio
            arrive(s, slot + 1, True)
        else:
            finish(s, b, True)
            end(s, bio, True)
        return
    if n.flags & CALLER:
        b.submitted = s.now
    if rare(s.record_count and b.number - s.record_first < s.record_count):
        note(s, slot)
    for i in range(n.first, n.first + n.count):
        next_slot = base + <u32>s.succ[i]
        s.visits[next_slot].need -= 1
        if s.visits[next_slot].need == 0:
            todo(s, next_slot, False)
    b.all_left -= 1
    if not n.flags & BACKGROUND:
        b.left -= 1
        if b.left == 0:
            finish(s, b, False)
    if b.all_left == 0:
        end(s, bio, False)


cdef inline void record(u64 *counts, u64 ns) noexcept nogil:
    """HdrHistogram's index: the leading SUB_BITS bits of a value, whatever its size."""
    cdef int bucket = top_bit(ns | (2 * HALF - 1)) - (SUB_BITS - 1)
    counts[<u64>bucket * HALF + (ns >> bucket)] += 1


cdef inline void finish(Sim *s, Bio *b, bint plain) noexcept nogil:
    """A bio's caller has its answer. A plain network has no submission: only `lat` counts."""
    cdef double lat = s.now - b.began, slat
    cdef u32 stream = stream_of(s, b.job, plain), row = stream * NOPS + s.op[b.kind]
    cdef Tally *t = &s.tally[row]
    if rare(lat >= 4398046511104.0):
        s.why = BEYOND
        return
    record(s.lat + <size_t>row * SLOTS, <u64>(lat + 0.5))
    s.finished += 1
    t.count += 1
    t.bytes += <u64>s.bytes[b.kind]
    t.lat += lat
    t.lat2 += lat * lat
    if lat < t.lat_min:
        t.lat_min = lat
    if lat > t.lat_max:
        t.lat_max = lat
    if plain:
        return
    slat = b.submitted - b.began
    record(s.clat + <size_t>row * SLOTS, <u64>(lat - slat + 0.5))
    t.slat += slat
    t.slat2 += slat * slat
    if slat < t.slat_min:
        t.slat_min = slat
    if slat > t.slat_max:
        t.slat_max = slat
    if s.streams[stream].mode == CLOSED and b.all_left:
        b.went_on = True  # write-behind goes on, the job does too
        again(s, b.job, False)


cdef inline void end(Sim *s, u32 bio, bint plain) noexcept nogil:
    """Nothing of a bio is left: its place is free."""
    cdef Bio *b = &s.bios[bio]
    b.next = s.free_bio
    s.free_bio = bio
    s.flying -= 1
    if s.streams[stream_of(s, b.job, plain)].mode == CLOSED and not b.went_on:
        again(s, b.job, plain)


cdef inline void again(Sim *s, u32 job, bint plain) noexcept nogil:
    cdef double pause = s.streams[stream_of(s, job, plain)].think_ns
    if pause > 0.0:
        push(s, s.now + pause, job, EV_THOUGHT)
    else:
        launch(s, job, plain)


cdef inline void launch(Sim *s, u32 job, bint plain) noexcept nogil:
    """A new bio: the next template of the job's stream in turn."""
    cdef Stream *stream = &s.streams[stream_of(s, job, plain)]
    cdef u32 bio = s.free_bio, kind = stream.next_kind, i, first, count, base
    cdef Bio *b
    cdef Visit *v
    if rare(bio == <u32>NONE):
        s.why = FULL
        return
    b = &s.bios[bio]
    s.free_bio = b.next
    stream.next_kind = kind + 1 if kind + 1 < stream.end_kind else stream.first_kind
    s.flying += 1
    if s.flying > s.most_flying:
        s.most_flying = s.flying
    first = <u32>s.start[kind]
    count = <u32>s.start[kind + 1] - first
    base = bio * s.width
    b.began = s.now
    b.submitted = s.now
    b.kind = kind
    b.left = s.foreground[kind]
    b.all_left = count
    b.job = job
    b.went_on = False
    b.number = s.launched
    s.launched += 1
    v = &s.visits[base]
    if plain:
        v.node = first
        v.bio = bio
        todo(s, base, False)
        return
    for i in range(first, first + count):
        v.need = s.nodes[i].need
        v.node = i
        v.bio = bio
        v += 1
    for i in range(count):
        if s.nodes[first + i].need == 0:
            todo(s, base + i, False)
