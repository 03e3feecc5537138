# What one driver call emits: the ordered list of lower bios, appended to state.buf from `top` on.
# One code for the four engines and for the replay; the engines shortcut the commonest nodes.


cdef size_t every_child(State *s, const Node *n, size_t top, u64 sector,
                        u64 nr) noexcept nogil:
    """A mirror's write goes to each child; so does any flush (which has no sector)."""
    cdef u32 k
    cdef u64 failed = 0
    if n.op == FLUSH:
        if s.plan.op_kind[n.pos] == RAID456:
            failed = <u64>s.plan.mapping[n.pos].parity.failed
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


cdef struct Place:              # of a raid10's copy
    u64 disk
    u64 at


cdef inline Bio *raid10_far(const Node *n, const CopiesRow *r, Bio *out, u64 disk, u64 at,
                            u64 nr) noexcept nogil:
    """A near copy and its far copies: `near` disks further on, one stride below."""
    cdef u64 stride = n.chunk if r.offset else <u64>r.stride
    cdef i64 left = r.far
    while True:
        put(n, out, disk, at, nr)
        out += 1
        left -= 1
        if left == 0:
            return out
        disk += <u64>r.near
        if disk >= n.width:
            disk -= n.width
        at += stride


cdef size_t raid10_read(State *s, const Node *n, size_t top, u64 disk, u64 at, u64 nr,
                        u64 wanted) noexcept nogil:
    """Copy number `wanted` only, in the order in which a write goes to them."""
    cdef const CopiesRow *r = &s.plan.mapping[n.pos].copies
    cdef u64 far = <u64>r.far
    cdef u64 close = wanted if far == 1 else wanted // far
    disk += close
    if disk >= n.width:
        disk -= n.width
        at += n.chunk
    if far > 1:
        wanted -= close * far
        disk = (disk + wanted * <u64>r.near) % n.width
        at += wanted * (n.chunk if r.offset else <u64>r.stride)
    return hand(s, n, top, disk, at, nr, n.worker)


cdef inline Place raid10_place(const Node *n, const CopiesRow *r, u64 sector) noexcept nogil:
    """raid10_find_phys, drivers/md/raid10.c (2.6.18 and 6.1): the first near copy."""
    cdef u64 near = <u64>r.near
    cdef u64 number = divide(sector, n.chunk, n.chunk_inv)
    cdef u64 stripe = divide(number * near, n.width, n.width_inv)
    cdef Place place
    place.disk = number * near - stripe * n.width
    if r.offset:
        stripe *= <u64>r.far
    place.at = stripe * n.chunk + sector - number * n.chunk
    return place


cdef inline size_t raid10_copies(State *s, const Node *n, const CopiesRow *r, size_t top,
                                 Place place, u64 sector, u64 nr) noexcept nogil:
    """One copy for a read; all, in slot order, for the rest."""
    cdef u64 near = <u64>r.near, copies = near * <u64>r.far
    cdef Bio *out
    if n.op == READ:
        return raid10_read(s, n, top, place.disk, place.at, nr,
                           pick(sector, copies))
    if not room_for(s, top + copies):
        return top
    out = &s.buf[top]
    while near:
        out = raid10_far(n, r, out, place.disk, place.at, nr)
        near -= 1
        place.disk += 1
        if place.disk == n.width:
            place.disk = 0
            place.at += n.chunk
    s.gave_jobs |= n.worker
    return top + copies


cdef inline size_t raid10_piece(State *s, const Node *n, size_t top, u64 sector,
                                u64 nr) noexcept nogil:
    cdef const CopiesRow *r = &s.plan.mapping[n.pos].copies
    return raid10_copies(s, n, r, top, raid10_place(n, r, sector), sector, nr)


cdef size_t raid10_pieces(State *s, const Node *n, size_t top, u64 sector, u64 end,
                          u64 stop) noexcept nogil:
    """LOOP: p0, p1 .. in order, [sector, stop) is p0. One division for all chunks."""
    cdef const CopiesRow *r = &s.plan.mapping[n.pos].copies
    cdef Place place = raid10_place(n, r, sector)
    cdef u64 down = n.chunk * <u64>r.far if r.offset else n.chunk
    cdef size_t before = top
    top = raid10_copies(s, n, r, top, place, sector, stop - sector)
    number(s, n, before, top, 0)
    place.at += stop - sector - n.chunk         # of the chunk's begin, once that is the next one's
    while stop < end and s.why == BAD_NONE:
        sector = stop
        stop = end if end - sector < n.chunk else sector + n.chunk
        place.disk += <u64>r.near
        if place.disk >= n.width:
            place.disk -= n.width
            place.at += down
        before = top
        top = raid10_copies(s, n, r, top, place, sector, stop - sector)
        number(s, n, before, top, <u32>s.pieces)
        s.pieces += 1
        s.splits += 1
    return top


cdef size_t origin_piece(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """dm-snapshot-origin: the first write to a chunk copies it out to every snapshot."""
    cdef const SnapshotRow *r = &s.plan.mapping[n.pos].snapshot
    cdef u64 size = <u64>r.chunk
    cdef u64 chunk = sector // size
    cdef u32 k
    if (n.op != WRITE and n.op != FUA) or hash32(chunk) < <u64>r.copied:
        return hand(s, n, top, 0, sector, nr, n.worker)
    top = emit_job(s, top, n.kids[0].job_read, chunk * size + n.kids[0].offset, size)
    for k in range(1, n.nkids):
        top = emit_job(s, top, n.kids[k].job_write, chunk * size + n.kids[k].offset, size)
    return emit_job(s, top, n.kids[0].job, sector + n.kids[0].offset, nr)


cdef size_t snapshot_piece(State *s, const Node *n, size_t top, u64 sector,
                           u64 nr) noexcept nogil:
    cdef const SnapshotRow *r = &s.plan.mapping[n.pos].snapshot
    cdef u64 size = <u64>r.chunk
    cdef u64 chunk = sector // size
    cdef bint exception = hash32(chunk) < <u64>r.copied
    if n.op == READ:
        return hand(s, n, top, 1 if exception else 0, sector, nr, n.worker)
    if exception or n.op == FLUSH:
        return hand(s, n, top, 1, sector, nr, n.worker)
    if n.op == DISCARD:
        return top
    top = emit_job(s, top, n.kids[0].job_read, chunk * size + n.kids[0].offset, size)
    top = emit_job(s, top, n.kids[1].job_write, chunk * size + n.kids[1].offset, size)
    return emit_job(s, top, n.kids[1].job, sector + n.kids[1].offset, nr)


cdef size_t cache_piece(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """Origin (child 0) and cache (child 1): which of them a bio goes to, and what the worker does
    with it later (bcache drivers/md/bcache/request.c, dm-writecache.c; 6.1)."""
    cdef const CacheRow *r = &s.plan.mapping[n.pos].cache
    cdef bint hit
    if n.op == DISCARD:
        return hand(s, n, top, 0, sector, nr, n.worker)
    if n.op == READ:
        hit = hash32(sector // <u64>r.block) < <u64>r.hits
        top = hand(s, n, top, 1 if hit else 0, sector, nr, n.worker)
        if not hit and r.worker & FILLED:
            top = emit_job(s, top, n.kids[1].job_write, sector + n.kids[1].offset, nr)
        return top
    if r.writes != WRITE_BACK:
        top = hand(s, n, top, 0, sector, nr, n.worker)
        return hand(s, n, top, 1, sector, nr, n.worker) if r.writes == WRITE_THROUGH else top
    top = hand(s, n, top, 1, sector, nr, n.worker)
    if r.worker & DRAINED:
        top = emit_job(s, top, n.kids[1].job_read, sector + n.kids[1].offset, nr)
        top = emit_job(s, top, n.kids[0].job_write, sector + n.kids[0].offset, nr)
    return top


cdef inline size_t piece(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """children(piece) of the plan: a part that no boundary cuts (segments.pxi has its own)."""
    if n.kind == LEAF:
        return top
    if n.kind == REMAP:
        return hand(s, n, top, 0, sector, nr, n.worker)
    if n.kind == MIRROR:
        return hand(s, n, top, pick(sector, n.nkids), sector, nr, n.worker)
    if n.kind == RAID10:
        return raid10_piece(s, n, top, sector, nr)
    if n.kind == RAID456:
        return raid456_piece(s, n, top, sector, nr)
    if n.kind == SNAPSHOT_ORIGIN:
        return origin_piece(s, n, top, sector, nr)
    if n.kind == CACHE:
        return cache_piece(s, n, top, sector, nr)
    return snapshot_piece(s, n, top, sector, nr)


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
        stop = at + n.chunk
        if stop > end:
            stop = end
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
    if n.kind == RAID10 and n.split == LOOP:
        return raid10_pieces(s, n, top, sector, end, stop)
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


cdef u64 longest(const LimitRow *limit, u64 sector, u64 nr) noexcept nogil:
    """Sectors of a bio of `nr` sectors that the queue takes at once; never 0.

    6.1 block/blk-merge.c get_max_io_size and bio_split_rw, bio_split_discard; drivers/md/dm.c
    max_io_len.
    """
    cdef u64 most = <u64>limit.most
    cdef u64 chunk = <u64>limit.chunk, physical = <u64>limit.physical
    cdef u64 start, end
    if limit.how == LIMIT_DISCARD:
        if nr <= most:
            return nr
        end = (sector + most - physical) % chunk if sector + most >= physical else 0
        return most - end if most > end else most
    if chunk:
        end = chunk - sector % chunk
        if end < most:
            most = end
    if limit.how == LIMIT_FRONT:
        return most
    start = sector & (physical - 1)
    end = (start + most) & ~(physical - 1)
    if end > start:
        most = end - start
    elif most & ~(<u64>limit.logical - 1):     # 0: a bio that is no whole blocks
        most &= ~(<u64>limit.logical - 1)
    if limit.memory and <u64>limit.memory < most:
        return <u64>limit.memory
    return most


cdef size_t front_first(State *s, Node *n, u64 sector, u64 nr, u64 most,
                        size_t top) noexcept nogil:
    """dm: the front is mapped, and cut further by its targets; then what is left is given back."""
    cdef size_t before
    top = mapped(s, n, sector, most, top)
    if s.why != BAD_NONE:
        return top
    if n.split == FRONT and s.resubmitted:      # the rest of the front is one with the rest
        s.buf[top - 1].nr += <u32>(nr - most)
        return top
    s.cut = True
    s.resubmitted = True
    s.splits += 1
    s.pieces += 1
    before = top
    top = emit(s, top, <u32>(n - s.nodes), sector + most, nr - most)
    if s.why == BAD_NONE:
        number(s, n, before, top, 0)
    return top


cdef size_t map_call(State *s, Node *n, u64 sector, u64 nr, size_t top) noexcept nogil:
    """One driver call: append what it emits, in order; say in `s` whether the bio was cut.

    Sources: 2.6.20 drivers/md/dm.c __split_bio (loops), 4.4 block/blk-merge.c blk_queue_split
    (resubmits the rest), 6.1 drivers/md/dm.c dm_split_and_process_bio (front, then the rest).
    """
    cdef u64 most
    s.cut = False
    s.gave_jobs = False
    s.resubmitted = False
    s.pieces = 1
    if n.how == STEP_ALL:
        return mirror_write(s, n, top, sector, nr)
    if n.how == STEP_STRIPE:
        if n.split == FRONT or n.split == REST:
            return stripe_front(s, n, top, sector, nr)
        return stripe_pieces(s, n, top, sector, nr)
    if n.limit != NULL:
        most = longest(n.limit, sector, nr)
        if nr > most:
            if n.limit.how == LIMIT_FRONT:
                return front_first(s, n, sector, nr, most, top)
            s.cut = True
            s.resubmitted = True
            s.splits += 1
            top = emit(s, top, <u32>(n - s.nodes), sector + most, nr - most)
            if s.why != BAD_NONE:
                return top
            number(s, n, top - 1, top, 0)
            nr = most
    return mapped(s, n, sector, nr, top)


cdef size_t mapped(State *s, Node *n, u64 sector, u64 nr, size_t top) noexcept nogil:
    """What is left when the queue's limits are kept: the driver's own cuts and its children."""
    cdef u64 stop
    cdef size_t before = top
    if n.kind == SEGMENTS:
        return segments_call(s, n, top, sector, nr)
    if n.kind == EVERY_CHILD:
        return every_child(s, n, top, sector, nr)
    if n.kind == LEAF:
        n.sectors += nr
        return top
    if n.chunk:
        stop = (divide(sector, n.chunk, n.chunk_inv) + 1) * n.chunk
        if stop < sector + nr:
            return cut_call(s, n, top, sector, sector + nr, stop)
    top = piece(s, n, top, sector, nr)
    number(s, n, before, top, 0)
    return top
