# md raid4/5/6, left-symmetric, through the stripe cache: 4 KiB blocks, whole rows.
# Sources: 2.6.18 drivers/md/raid5.c raid5_compute_sector, handle_stripe5 and raid6main.c.

cdef struct Raid:
    u64 disks
    u64 parity
    u64 data
    u64 chunk
    u64 level
    u64 failed
    bint rmw
    bint full_here              # a full-stripe write is issued by the caller
    bint bypass                 # aligned reads go past the stripe cache
    bint read_here              # a read through the cache is issued by the caller
    bint joined                 # neighbours fill what a write leaves of a stripe
    u64 row                     # sectors of a row

cdef struct Row:
    u64 at                      # sector on each member
    u64 stripe
    u64 touched                 # member bits (data blocks that the bio touches)
    u64 whole                   # member bits (data blocks that it overwrites)
    u64 data                    # member bits of all data blocks
    u64 parity                  # member bits


cdef inline Raid raid_of(State *s, const Node *n) noexcept nogil:
    cdef const ParityRow *r = &s.plan.mapping[n.pos].parity
    cdef Raid raid
    raid.disks = <u64>r.disks
    raid.parity = <u64>r.parity
    raid.data = raid.disks - raid.parity
    raid.chunk = <u64>r.chunk
    raid.level = <u64>r.level
    raid.rmw = r.rmw != 0
    raid.failed = <u64>r.failed
    raid.full_here = (r.flags & FULL_STRIPE_IN_CALLER) != 0
    raid.bypass = (r.flags & ALIGNED_READ) != 0
    raid.read_here = (r.flags & READ_IN_CALLER) != 0
    raid.joined = (r.flags & JOINED_WRITES) != 0
    raid.row = <u64>r.row if r.row else 8
    return raid


cdef inline u64 first_parity(const Raid *r, u64 stripe) noexcept nogil:
    """The member that holds P of a stripe (Q is on the next one)."""
    return r.disks - 1 if r.level == 4 else r.disks - 1 - stripe % r.disks


cdef inline u64 raid_disk(const Raid *r, u64 pd, u64 dd) noexcept nogil:
    """The member that holds data chunk dd of the stripe whose P is on member pd."""
    if r.level == 4:
        return dd
    dd += pd + r.parity
    return dd - r.disks if dd >= r.disks else dd


cdef inline u64 raid_parity(const Raid *r, u64 pd) noexcept nogil:
    """Bits of the members that hold P (and Q)."""
    if r.parity == 1:
        return <u64>1 << pd
    return <u64>1 << pd | <u64>1 << (pd + 1 if pd + 1 < r.disks else 0)


cdef inline size_t raid_send(State *s, const Node *n, size_t top, u64 members, u64 at, u64 row,
                             int kind, bint worker) noexcept nogil:
    """A row's sectors to each of `members`, highest first; kind: READ, or WRITE the bio's op."""
    cdef const Kid *kid
    cdef u64 k
    cdef u32 node
    s.gave_jobs |= worker
    while members:
        k = top_bit(members)
        members ^= <u64>1 << k
        kid = &n.kids[k]
        if worker:
            node = (kid.job_read if kind == READ else kid.job) | <u32>JOB_BIT
        else:
            node = kid.node
        top = emit(s, top, node, at + kid.offset, row)
    return top


cdef size_t raid_read(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    cdef Raid r = raid_of(s, n)
    cdef u64 c = sector // r.chunk
    cdef u64 end = sector + nr
    cdef u64 stripe = c // r.data
    cdef u64 disk = raid_disk(&r, first_parity(&r, stripe), c - stripe * r.data)
    cdef bint worker = n.worker or not r.read_here
    cdef u64 everyone = members_of(r.disks)
    cdef u64 at
    if r.bypass and (end - 1) // r.chunk == c and not (r.failed >> disk) & 1:
        return hand(s, n, top, disk, stripe * r.chunk + sector % r.chunk, nr, n.worker)
    sector -= sector % r.row
    while sector < end and s.why == BAD_NONE:
        c = sector // r.chunk
        stripe = c // r.data
        disk = raid_disk(&r, first_parity(&r, stripe), c - stripe * r.data)
        at = stripe * r.chunk + sector - c * r.chunk
        if (r.failed >> disk) & 1:
            top = raid_send(s, n, top, everyone & ~r.failed, at, r.row, READ, worker)
        else:
            top = raid_send(s, n, top, <u64>1 << disk, at, r.row, READ, worker)
        sector += r.row
    return top


cdef inline u64 members_of(u64 disks) noexcept nogil:
    return (<u64>1 << disks) - 1


cdef inline Row raid_row(const Raid *r, u64 stripe, u64 block, u64 sector, u64 end) noexcept nogil:
    """Which members of a 4 KiB row the bio [sector, end) touches and overwrites."""
    cdef Row row
    cdef u64 pd = first_parity(r, stripe)
    cdef u64 begin = stripe * r.data * r.chunk + block
    cdef u64 dd, member
    row.at = stripe * r.chunk + block
    row.stripe = stripe
    row.parity = raid_parity(r, pd)
    row.data = members_of(r.disks) & ~row.parity
    row.touched = 0
    row.whole = 0
    for dd in range(r.data):
        member = raid_disk(r, pd, dd)
        row.touched |= <u64>(begin < end and begin + r.row > sector) << member
        row.whole |= <u64>(begin >= sector and begin + r.row <= end) << member
        begin += r.chunk
    return row


cdef inline u64 raid_cost(const Raid *r, u64 members) noexcept nogil:
    """handle_stripe5: a failed member counts 2*disks, so that its way is never the cheaper one."""
    return bits(members & ~r.failed) + 2 * r.disks * bits(members & r.failed)


cdef inline u64 last_data(const Raid *r, const Row *row) noexcept nogil:
    """The member of a stripe's last data chunk: a sequential stream comes to it last."""
    return <u64>1 << raid_disk(r, first_parity(r, row.stripe), r.data - 1)


cdef size_t raid_write_row(State *s, const Node *n, size_t top, const Raid *r,
                           const Row *row) noexcept nogil:
    cdef u64 live = members_of(r.disks) & ~r.failed
    cdef u64 reads, cost, rmw, rcw
    if row.whole == row.data:
        return raid_send(s, n, top, live, row.at, r.row, WRITE, n.worker or not r.full_here)
    if r.joined and row.touched == row.whole:       # what neighbours in flight fill
        cost = row.touched
        if last_data(r, row) & row.touched:
            cost |= row.parity
        return raid_send(s, n, top, cost & live, row.at, r.row, WRITE,
                         n.worker or not r.full_here)
    rmw = raid_cost(r, row.touched | row.parity)
    rcw = raid_cost(r, row.data & ~row.whole)
    if r.rmw and rmw < rcw:
        reads = row.touched | row.parity
        cost = rmw
    else:
        reads = row.data & ~row.whole
        cost = rcw
    if cost >= 2 * r.disks:
        reads = live
    top = raid_send(s, n, top, reads & live, row.at, r.row, READ, True)
    return raid_send(s, n, top, (row.touched | row.parity) & live, row.at, r.row, WRITE, True)


cdef size_t raid_write(State *s, const Node *n, size_t top, u64 sector, u64 nr) noexcept nogil:
    """Row by row; a row is handled when its last touched data block comes by."""
    cdef Raid r = raid_of(s, n)
    cdef Row row
    cdef u64 end = sector + nr
    cdef u64 at = sector - sector % r.row
    cdef u64 c, stripe, block
    while at < end and s.why == BAD_NONE:
        c = at // r.chunk
        block = at - c * r.chunk
        stripe = c // r.data
        if c - stripe * r.data == r.data - 1 or at + r.chunk >= end:
            row = raid_row(&r, stripe, block, sector, end)
            top = raid_write_row(s, n, top, &r, &row)
        at += r.row
    return top


cdef inline size_t raid456_piece(State *s, const Node *n, size_t top, u64 sector,
                                 u64 nr) noexcept nogil:
    if n.op == READ:
        return raid_read(s, n, top, sector, nr)
    return raid_write(s, n, top, sector, nr)
