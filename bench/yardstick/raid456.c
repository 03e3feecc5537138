/* raid4/5/6, left-symmetric, through the stripe cache. */
#include "raid456.h"

struct raid { u64 disks, parity, data, chunk, level, failed, live; int rmw, full, bypass, here; };

INLINE struct raid raid_of(const struct parity_row *r)
{
    u64 all = ((u64)1 << r->disks) - 1;
    return (struct raid){ .disks = (u64)r->disks, .parity = (u64)r->parity,
                          .data = (u64)(r->disks - r->parity), .chunk = (u64)r->chunk,
                          .level = (u64)r->level, .failed = (u64)r->failed,
                          .live = all & ~(u64)r->failed, .rmw = r->rmw != 0,
                          .full = (r->flags & FULL_STRIPE_IN_CALLER) != 0,
                          .bypass = (r->flags & ALIGNED_READ) != 0,
                          .here = (r->flags & READ_IN_CALLER) != 0 };
}

INLINE u64 first_parity(const struct raid *r, u64 stripe)
{
    return r->level == 4 ? r->disks - 1 : r->disks - 1 - stripe % r->disks;
}

INLINE u64 disk_of(const struct raid *r, u64 pd, u64 dd)
{
    if (r->level == 4)
        return dd;
    dd += pd + r->parity;
    return dd >= r->disks ? dd - r->disks : dd;
}

INLINE size_t send(struct engine *e, const struct node *n, size_t top, u64 members, u64 at, int op,
                   int worker)
{
    e->gave_jobs |= worker;
    while (members) {
        u64 k = 63 - (u64)__builtin_clzll(members);
        const struct kid *kid = n->kids + k;
        u32 to = !worker ? kid->node : (op == READ ? kid->job_read : kid->job) | JOB;
        top = emit(e, top, to, at + kid->offset, 8);
        members ^= (u64)1 << k;
    }
    return top;
}

INLINE u64 cost_of(const struct raid *r, u64 members)
{
    return (u64)__builtin_popcountll(members & ~r->failed)
           + 2 * r->disks * (u64)__builtin_popcountll(members & r->failed);
}

static size_t write_row(struct engine *e, const struct node *n, size_t top, const struct raid *r,
                        u64 stripe, u64 block, u64 sector, u64 end)
{
    u64 pd = first_parity(r, stripe), at = stripe * r->chunk + block;
    u64 begin = stripe * r->data * r->chunk + block;
    u64 parity = (u64)1 << pd, data, touched = 0, whole = 0, reads, rmw, rcw, cost;
    if (r->parity == 2)
        parity |= (u64)1 << (pd + 1 == r->disks ? 0 : pd + 1);
    data = (((u64)1 << r->disks) - 1) & ~parity;
    for (u64 dd = 0; dd < r->data; dd++, begin += r->chunk) {
        u64 bit = (u64)1 << disk_of(r, pd, dd);
        touched |= begin < end && begin + 8 > sector ? bit : 0;
        whole |= begin >= sector && begin + 8 <= end ? bit : 0;
    }
    if (whole == data)
        return send(e, n, top, r->live, at, WRITE, !r->full);
    rmw = cost_of(r, touched | parity);
    rcw = cost_of(r, data & ~whole);
    reads = r->rmw && rmw < rcw ? touched | parity : data & ~whole;
    cost = r->rmw && rmw < rcw ? rmw : rcw;
    if (cost >= 2 * r->disks)
        reads = r->live;
    top = send(e, n, top, reads & r->live, at, READ, 1);
    return send(e, n, top, (touched | parity) & r->live, at, WRITE, 1);
}

size_t raid456_piece(struct engine *e, const struct node *n, size_t top, u64 sector, u64 nr)
{
    struct raid r = raid_of(&e->plan->mapping[n->pos].parity);
    u64 end = sector + nr, at = sector & ~(u64)7;
    if (n->op == READ && r.bypass && (end - 1) / r.chunk == sector / r.chunk) {
        u64 c = sector / r.chunk, s = c / r.data;
        u64 d = disk_of(&r, first_parity(&r, s), c - s * r.data);
        if (r.live >> d & 1)
            return emit(e, top, n->kids[d].node,
                        s * r.chunk + sector - c * r.chunk + n->kids[d].offset, nr);
    }
    for (; at < end; at += 8) {
        u64 c = at / r.chunk, s = c / r.data, dd = c - s * r.data, block = at - c * r.chunk;
        if (n->op == READ) {
            u64 d = (u64)1 << disk_of(&r, first_parity(&r, s), dd);
            top = send(e, n, top, r.live & d ? d : r.live, s * r.chunk + block, READ, !r.here);
        } else if (dd == r.data - 1 || at + r.chunk >= end) {
            top = write_row(e, n, top, &r, s, block, sector, end);
        }
    }
    return top;
}
