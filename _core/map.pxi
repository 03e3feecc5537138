# What one driver call emits: the ordered list of lower bios, appended to state.buf from `top` on.
# One code for the four engines and for the replay; the engines shortcut the commonest nodes.


cdef bint grow(State *s) noexcept nogil:
    """Double the bio list. On failure the run stops (state.why), nothing is dropped silently."""
    cdef size_t cap = 2 * s.cap
    cdef void *buf
    cdef void *part
    cdef void *scratch
    if cap > MAX_QUEUE:
        s.why = BAD_MEMORY
        return False
    buf = realloc(s.buf, cap * sizeof(Bio))
    if buf != NULL:
        s.buf = <Bio *>buf
    part = realloc(s.part, cap * sizeof(u32))
    if part != NULL:
        s.part = <u32 *>part
    scratch = realloc(s.scratch, cap * sizeof(Bio))
    if scratch != NULL:
        s.scratch = <Bio *>scratch
    if buf == NULL or part == NULL or scratch == NULL:
        s.why = BAD_MEMORY
        return False
    s.cap = cap
    return True


cdef inline bint room_for(State *s, size_t count) noexcept nogil:
    while rare(count > s.cap):
        if not grow(s):
            return False
    return True


cdef inline size_t emit(State *s, size_t top, u32 node, u64 sector, u64 nr) noexcept nogil:
    if rare(top >= s.cap):
        if not grow(s):
            return top
    s.buf[top].sector = sector
    s.buf[top].nr = <u32>nr
    s.buf[top].node = node
    return top + 1


cdef inline size_t emit_job(State *s, size_t top, u32 node, u64 sector, u64 nr) noexcept nogil:
    s.gave_jobs = True
    return emit(s, top, node | <u32>JOB_BIT, sector, nr)


cdef inline size_t hand(State *s, const Node *n, size_t top, u64 k, u64 sector, u64 nr,
                        bint worker) noexcept nogil:
    """Child k gets a bio: submitted here, or handed to the worker."""
    cdef const Kid *kid = &n.kids[k]
    if worker:
        return emit_job(s, top, kid.job, sector + kid.offset, nr)
    return emit(s, top, kid.node, sector + kid.offset, nr)


cdef inline u64 divide(u64 x, u64 by, u64 inverse) noexcept nogil:
    return mulhi(x, inverse) if inverse else x // by


cdef inline const Seg *segment_at(const Node *n, u64 sector) noexcept nogil:
    """The segment that holds `sector`; the last one goes on without end."""
    cdef u32 at = 0, left = n.nsegs, half
    while left > 1:
        half = left >> 1
        at += half * <u32>(n.segs[at + half].begin <= sector)
        left -= half
    return &n.segs[at]


cdef inline u64 segments_end(const Node *n, u64 sector, u64 end) noexcept nogil:
    """Where the first piece of [sector, end) ends: the segment's end or the next chunk's begin."""
    cdef const Seg *seg = segment_at(n, sector)
    cdef u64 stop = end
    cdef u64 edge
    if seg != &n.segs[n.nsegs - 1] and seg.end < stop:
        stop = seg.end
    if seg.chunk:
        edge = seg.begin + (divide(sector - seg.begin, seg.chunk, seg.chunk_inv) + 1) * seg.chunk
        if edge < stop:
            stop = edge
    return stop


cdef inline size_t segments_piece(State *s, const Node *n, size_t top, u64 sector,
                                  u64 nr) noexcept nogil:
    cdef const Seg *seg = segment_at(n, sector)
    cdef u64 inside = sector - seg.begin
    cdef u64 chunk, row
    if seg.width == 1:
        return hand(s, n, top, seg.first, inside, nr, n.worker)
    chunk = divide(inside, seg.chunk, seg.chunk_inv)
    row = divide(chunk, seg.width, seg.width_inv)
    return hand(s, n, top, seg.first + chunk - row * seg.width,
                row * seg.chunk + inside - chunk * seg.chunk, nr, n.worker)


cdef inline size_t stripe_loop(State *s, const Node *n, size_t top, u64 sector,
                               u64 left) noexcept nogil:
    """LOOP over one striped segment in the caller: chunk after chunk without dividing again."""
    cdef u64 size = n.chunk
    cdef u64 chunk = mulhi(sector, n.chunk_inv)
    cdef u64 row = mulhi(chunk, n.width_inv)
    cdef u64 inside = sector - chunk * size
    cdef u64 base = row * size
    cdef u64 nr = size - inside
    cdef u64 need = mulhi(inside + left - 1, n.chunk_inv) + 1
    cdef const Kid *kid = &n.kids[chunk - row * n.width]
    cdef const Kid *last = &n.kids[n.width - 1]
    cdef Bio *out
    cdef bint numbered = n.flags & SELF_CALLS
    s.pieces = need
    s.splits += need - 1
    s.cut = s.cut or need > 1
    if not room_for(s, top + need):
        return top
    out = &s.buf[top]
    while True:
        if nr > left:
            nr = left
        out.sector = base + inside + kid.offset
        out.nr = <u32>nr
        out.node = kid.node
        if rare(numbered):
            s.part[out - s.buf] = <u32>(out - &s.buf[top])
        out += 1
        left -= nr
        if left == 0:
            return top + need
        inside = 0
        nr = size
        if kid == last:
            kid = n.kids
            base += size
        else:
            kid += 1


cdef size_t every_child(State *s, const Node *n, size_t top, u64 sector,
                               u64 nr) noexcept nogil:
    """A mirror's write goes to each child; so does any flush (which has no sector)."""
    cdef u32 k
    cdef u64 failed = 0
    if n.op == FLUSH:
        if s.plan.op_kind[n.pos] == RAID456:
            failed = <u64>s.plan.raid[8 * <size_t>n.pos + 5]
        for k in range(n.nkids):
            if k < 64 and (failed >> k) & 1:
                continue
            if n.worker:
                top = emit_job(s, top, n.kids[k].job, 0, 0)
            else:
                top = emit(s, top, n.kids[k].node, 0, 0)
        return top
    for k in range(n.nkids):
        top = hand(s, n, top, k, sector, nr, n.worker)
    return top


cdef inline size_t mirror_write(State *s, const Node *n, size_t top, u64 sector,
                                u64 nr) noexcept nogil:
    cdef const Kid *kid = n.kids
    cdef Bio *out
    cdef Bio *end
    if not room_for(s, top + n.nkids):
        return top
    out = &s.buf[top]
    end = out + n.nkids
    while out < end:
        out.sector = sector + kid.offset
        out.nr = <u32>nr
        out.node = kid.node
        out += 1
        kid += 1
    return top + n.nkids


cdef size_t raid10_piece(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """raid10_find_phys, drivers/md/raid10.c (2.6.18 and 6.1): the copies in slot order."""
    cdef const i64 *r = &s.plan.raid[8 * <size_t>n.pos]
    cdef u64 disks = <u64>r[0], near = <u64>r[1], far = <u64>r[2], chunk = <u64>r[4]
    cdef u64 stride = chunk if r[3] else <u64>r[5]
    cdef u64 c = sector // chunk * near
    cdef u64 stripe = c // disks
    cdef u64 dev = c % disks
    cdef u64 base, at, disk, i, f, slot = 0
    cdef u64 wanted = 0
    if n.op == READ:
        wanted = (sector >> 7) % (near * far)
    if r[3]:
        stripe *= far
    base = stripe * chunk + sector % chunk
    for i in range(near):
        at = base
        disk = dev
        for f in range(far):
            if f:
                disk = (disk + near) % disks
                at += stride
            if n.op != READ or slot == wanted:
                top = hand(s, n, top, disk, at, nr, n.worker)
            slot += 1
        dev += 1
        if dev == disks:
            dev = 0
            base += chunk
    return top


cdef size_t origin_piece(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """dm-snapshot-origin: the first write to a chunk copies it out to every snapshot."""
    cdef const i64 *r = &s.plan.raid[8 * <size_t>n.pos]
    cdef u64 size = <u64>r[0]
    cdef u64 chunk = sector // size
    cdef u32 k
    if (n.op != WRITE and n.op != FUA) or hash32(chunk) < <u64>r[1]:
        return hand(s, n, top, 0, sector, nr, n.worker)
    top = emit_job(s, top, n.kids[0].job_read, chunk * size + n.kids[0].offset, size)
    for k in range(1, n.nkids):
        top = emit_job(s, top, n.kids[k].job_write, chunk * size + n.kids[k].offset, size)
    return emit_job(s, top, n.kids[0].job, sector + n.kids[0].offset, nr)


cdef size_t snapshot_piece(State *s, const Node *n, size_t top, u64 sector,
                           u64 nr) noexcept nogil:
    cdef const i64 *r = &s.plan.raid[8 * <size_t>n.pos]
    cdef u64 size = <u64>r[0]
    cdef u64 chunk = sector // size
    cdef bint exception = hash32(chunk) < <u64>r[1]
    if n.op == READ:
        return hand(s, n, top, 1 if exception else 0, sector, nr, n.worker)
    if exception or n.op == FLUSH:
        return hand(s, n, top, 1, sector, nr, n.worker)
    if n.op == DISCARD:
        return top
    top = emit_job(s, top, n.kids[0].job_read, chunk * size + n.kids[0].offset, size)
    top = emit_job(s, top, n.kids[1].job_write, chunk * size + n.kids[1].offset, size)
    return emit_job(s, top, n.kids[1].job, sector + n.kids[1].offset, nr)


cdef u64 piece_end(State *s, const Node *n, u64 sector, u64 end) noexcept nogil:
    """End of the first piece of [sector, end)."""
    cdef const i64 *r = &s.plan.raid[8 * <size_t>n.pos]
    cdef u64 chunk = 0
    cdef u64 edge
    if n.kind == SEGMENTS:
        return segments_end(n, sector, end)
    if n.kind == RAID10:
        chunk = <u64>r[4]
    elif n.kind == RAID456:
        if n.op == READ and r[6] & 2 and r[5] == 0:
            chunk = <u64>r[2]
    elif n.kind == SNAPSHOT_ORIGIN or n.kind == SNAPSHOT:
        chunk = <u64>r[0]
    if chunk == 0:
        return end
    edge = (sector // chunk + 1) * chunk
    return edge if edge < end else end


cdef inline size_t piece(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """children(piece) of the plan: the lower bios of a part that no boundary cuts."""
    if n.kind == SEGMENTS:
        return segments_piece(s, n, top, sector, nr)
    if n.kind == LEAF:
        return top
    if n.kind == REMAP:
        return hand(s, n, top, 0, sector, nr, n.worker)
    if n.kind == MIRROR:
        return hand(s, n, top, (sector >> 7) % n.nkids, sector, nr, n.worker)
    if n.kind == RAID10:
        return raid10_piece(s, n, top, sector, nr)
    if n.kind == RAID456:
        return raid456_piece(s, n, top, sector, nr)
    if n.kind == SNAPSHOT_ORIGIN:
        return origin_piece(s, n, top, sector, nr)
    return snapshot_piece(s, n, top, sector, nr)


cdef inline void number(State *s, const Node *n, size_t first, size_t top, u32 at) noexcept nogil:
    """Note which piece the emissions [first, top) belong to, where md's self calls need it."""
    if n.flags & SELF_CALLS:
        while first < top:
            s.part[first] = at
            first += 1


cdef size_t every_piece(State *s, Node *n, size_t top, u64 sector, u64 end, u64 at) noexcept nogil:
    """LOOP: p0, p1 .. in order. REST_MAPPED: p1 .. first, then p0. [sector, at) is p0.

    md raid0 6.1 raid0_make_request maps the rest before the front it has split off.
    """
    cdef u64 first_end = at
    cdef u64 stop
    cdef size_t before = top
    if n.split == LOOP:
        top = piece(s, n, top, sector, at - sector)
        number(s, n, before, top, 0)
    while at < end and s.why == BAD_NONE:
        before = top
        stop = piece_end(s, n, at, end)
        top = piece(s, n, top, at, stop - at)
        number(s, n, before, top, <u32>s.pieces)
        s.pieces += 1
        s.splits += 1
        at = stop
    if n.split == REST_MAPPED:
        top = piece(s, n, top, sector, first_end - sector)
    return top


cdef size_t cut_call(State *s, Node *n, size_t top, u64 sector, u64 end, u64 stop) noexcept nogil:
    """What a call emits for a bio that straddles boundaries; [sector, stop) is its first piece."""
    cdef u32 me = <u32>(n - s.nodes)
    s.cut = True
    if n.split == LOOP or n.split == REST_MAPPED:
        return every_piece(s, n, top, sector, end, stop)
    s.splits += 1
    s.pieces = 2
    s.resubmitted = True
    if n.split == FRONT:
        top = piece(s, n, top, sector, stop - sector)
        return emit(s, top, me, stop, end - stop)
    top = emit(s, top, me, stop, end - stop)
    return piece(s, n, top, sector, stop - sector)


cdef size_t map_call(State *s, Node *n, u64 sector, u64 nr, size_t top) noexcept nogil:
    """One driver call: append what it emits, in order; say in `s` whether the bio was cut.

    Sources: 2.6.20 drivers/md/dm.c __split_bio (loops), 4.4 block/blk-merge.c blk_queue_split
    (resubmits the rest), 6.1 drivers/md/dm.c dm_split_and_process_bio (front, then the rest).
    """
    cdef u64 end, stop
    s.cut = False
    s.gave_jobs = False
    s.resubmitted = False
    s.pieces = 1
    if n.how == STEP_ALL:
        return mirror_write(s, n, top, sector, nr)
    if n.how == STEP_STRIPE and n.split == LOOP:
        return stripe_loop(s, n, top, sector, nr)
    if n.max_sectors and nr > n.max_sectors and n.op != FLUSH:
        s.cut = True
        s.resubmitted = True
        s.splits += 1
        top = emit(s, top, <u32>(n - s.nodes), sector + n.max_sectors, nr - n.max_sectors)
        if s.why != BAD_NONE:
            return top
        number(s, n, top - 1, top, 0)
        nr = n.max_sectors
    if n.kind == EVERY_CHILD:
        return every_child(s, n, top, sector, nr)
    if n.kind == LEAF:
        n.sectors += nr
        return top
    end = sector + nr
    stop = piece_end(s, n, sector, end)
    if stop != end:
        return cut_call(s, n, top, sector, end, stop)
    stop = top
    top = piece(s, n, top, sector, nr)
    number(s, n, stop, top, 0)
    return top
