/* What one driver call emits. */
#include "engine.h"

INLINE size_t hand(struct engine *e, const struct node *n, size_t top, u64 k, u64 sector, u64 nr)
{
    return emit(e, top, n->kids[k].node, sector + n->kids[k].offset, nr);
}

INLINE const struct seg *segment_at(const struct node *n, u64 sector)
{
    const struct seg *seg = n->segs;
    u32 left = n->nsegs;
    while (left > 1) {
        u32 half = left >> 1;
        seg += seg[half].begin <= sector ? half : 0;
        left -= half;
    }
    return seg;
}

INLINE u64 over(u64 x, u64 by, u64 inverse) { return inverse ? mulhi(x, inverse) : x / by; }

INLINE u64 piece_end(const struct engine *e, const struct node *n, u64 sector, u64 end)
{
    const i64 *r = e->plan->raid + 8 * (size_t)n->pos;
    u64 chunk = 0, edge;
    if (n->kind == SEGMENTS) {
        const struct seg *seg = segment_at(n, sector);
        if (seg != n->segs + n->nsegs - 1 && seg->end < end)
            end = seg->end;
        if (!seg->chunk)
            return end;
        edge = seg->begin + (over(sector - seg->begin, seg->chunk, seg->chunk_inv) + 1) * seg->chunk;
        return edge < end ? edge : end;
    }
    if (n->kind == RAID10)
        chunk = (u64)r[4];
    else if (n->kind == RAID456 && n->op == READ && (r[6] & 2) && !r[5])
        chunk = (u64)r[2];
    if (!chunk)
        return end;
    edge = (sector / chunk + 1) * chunk;
    return edge < end ? edge : end;
}

static size_t raid10_piece(struct engine *e, const struct node *n, size_t top, u64 sector, u64 nr)
{
    const i64 *r = e->plan->raid + 8 * (size_t)n->pos;
    u64 disks = (u64)r[0], near = (u64)r[1], far = (u64)r[2], chunk = (u64)r[4];
    u64 stride = r[3] ? chunk : (u64)r[5], c = sector / chunk;
    u64 stripe = c * near / disks, dev = c * near % disks, slot = 0;
    u64 wanted = n->op == READ ? (sector >> 7) % (near * far) : ~0ULL;
    u64 base = (r[3] ? stripe * far : stripe) * chunk + (sector - c * chunk);
    for (u64 i = 0; i < near; i++) {
        u64 disk = dev, at = base;
        for (u64 f = 0; f < far; f++, slot++) {
            if (f) {
                disk = (disk + near) % disks;
                at += stride;
            }
            if (wanted == ~0ULL || slot == wanted)
                top = hand(e, n, top, disk, at, nr);
        }
        if (++dev == disks) {
            dev = 0;
            base += chunk;
        }
    }
    return top;
}

INLINE size_t piece(struct engine *e, const struct node *n, size_t top, u64 sector, u64 nr)
{
    switch (n->kind) {
    case SEGMENTS: {
        const struct seg *seg = segment_at(n, sector);
        u64 inside = sector - seg->begin, chunk, row;
        if (seg->width == 1)
            return hand(e, n, top, seg->first, inside, nr);
        chunk = over(inside, seg->chunk, seg->chunk_inv);
        row = over(chunk, seg->width, seg->width_inv);
        return hand(e, n, top, seg->first + chunk - row * seg->width,
                    row * seg->chunk + inside - chunk * seg->chunk, nr);
    }
    case REMAP:
        return hand(e, n, top, 0, sector, nr);
    case MIRROR:
        return hand(e, n, top, (sector >> 7) % n->nkids, sector, nr);
    case RAID10:
        return raid10_piece(e, n, top, sector, nr);
    case RAID456:
        return raid456_piece(e, n, top, sector, nr);
    default:
        return top;
    }
}

static size_t stripe_loop(struct engine *e, const struct node *n, size_t top, u64 sector, u64 left)
{
    u64 size = n->chunk, chunk = mulhi(sector, n->chunk_inv), row = mulhi(chunk, n->width_inv);
    u64 inside = sector - chunk * size, base = row * size, nr = size - inside;
    u64 need = mulhi(inside + left - 1, n->chunk_inv) + 1;
    const struct kid *kid = n->kids + (chunk - row * n->width), *last = n->kids + n->width - 1;
    struct bio *out;
    e->splits += need - 1;
    e->cut |= need > 1;
    reserve(e, top + need);
    out = e->buf + top;
    for (;;) {
        if (nr > left)
            nr = left;
        *out++ = (struct bio){ base + inside + kid->offset, (u32)nr, kid->node };
        left -= nr;
        if (!left)
            return top + need;
        inside = 0;
        nr = size;
        if (kid == last) {
            kid = n->kids;
            base += size;
        } else {
            kid++;
        }
    }
}

static size_t cut_call(struct engine *e, struct node *n, size_t top, u64 sector, u64 end, u64 stop)
{
    u32 me = (u32)(n - e->nodes);
    u64 first = stop;
    e->cut = 1;
    if (n->split == FRONT || n->split == REST) {
        e->splits++;
        e->resubmitted = 1;
        if (n->split == REST)
            top = emit(e, top, me, stop, end - stop);
        top = piece(e, n, top, sector, stop - sector);
        return n->split == REST ? top : emit(e, top, me, stop, end - stop);
    }
    if (n->split == LOOP)
        top = piece(e, n, top, sector, stop - sector);
    while (stop < end) {
        u64 next = piece_end(e, n, stop, end);
        top = piece(e, n, top, stop, next - stop);
        e->splits++;
        stop = next;
    }
    if (n->split == REST_MAPPED)
        top = piece(e, n, top, sector, first - sector);
    return top;
}

size_t map_call(struct engine *e, struct node *n, u64 sector, u64 nr, size_t top)
{
    u64 stop;
    e->cut = e->gave_jobs = e->resubmitted = 0;
    if (n->max_sectors && nr > n->max_sectors) {
        e->cut = e->resubmitted = 1;
        e->splits++;
        top = emit(e, top, (u32)(n - e->nodes), sector + n->max_sectors, nr - n->max_sectors);
        nr = n->max_sectors;
    }
    if (n->how == HOW_ALL) {
        for (u32 k = 0; k < n->nkids; k++)
            top = hand(e, n, top, k, sector, nr);
        return top;
    }
    if (n->kind == LEAF) {
        n->sectors += nr;
        return top;
    }
    if (n->how == HOW_STRIPE && n->split == LOOP)
        return stripe_loop(e, n, top, sector, nr);
    stop = piece_end(e, n, sector, sector + nr);
    if (stop != sector + nr)
        return cut_call(e, n, top, sector, sector + nr, stop);
    return piece(e, n, top, sector, nr);
}
