/* What one driver call emits. */
#include "map.h"
#include "raid456.h"

INLINE size_t hand(struct engine *e, const struct node *n, size_t top, u64 k, u64 sector, u64 nr)
{
    return emit(e, top, n->kids[k].node, sector + n->kids[k].offset, nr);
}

INLINE u64 over(u64 x, u64 by, u64 inverse) { return inverse ? mulhi(x, inverse) : x / by; }

/* A bio's first piece: where it ends, and its place on child k. */
struct part { u64 stop, lower, k; };

INLINE struct part part_of(const struct node *n, u64 sector, u64 end)
{
    const struct seg *seg = segment_at(n, sector);
    u64 inside = sector - seg->begin, chunk, edge, row;
    struct part part = { end, inside, seg->first };
    if (seg->end < end && seg != n->segs + n->nsegs - 1)
        part.stop = seg->end;
    if (!seg->chunk)
        return part;
    chunk = over(inside, seg->chunk, seg->chunk_inv);
    edge = seg->begin + (chunk + 1) * seg->chunk;
    if (edge < part.stop)
        part.stop = edge;
    if (seg->width > 1) {
        row = over(chunk, seg->width, seg->width_inv);
        part.k += chunk - row * seg->width;
        part.lower = inside - (chunk - row) * seg->chunk;
    }
    return part;
}

INLINE size_t give_part(struct engine *e, const struct node *n, size_t top, u64 sector,
                        const struct part *part)
{
    return hand(e, n, top, part->k, part->lower, part->stop - sector);
}

static size_t segments_pieces(struct engine *e, struct node *n, size_t top, u64 sector, u64 end,
                              const struct part *first)
{
    if (n->split == LOOP)
        top = give_part(e, n, top, sector, first);
    for (u64 at = first->stop; at < end;) {
        struct part part = part_of(n, at, end);
        top = give_part(e, n, top, at, &part);
        e->splits++;
        at = part.stop;
    }
    return n->split == REST_MAPPED ? give_part(e, n, top, sector, first) : top;
}

INLINE size_t segments_call(struct engine *e, struct node *n, size_t top, u64 sector, u64 nr)
{
    u64 end = sector + nr;
    struct part part = part_of(n, sector, end);
    u32 me = (u32)(n - e->nodes);
    if (part.stop == end)
        return give_part(e, n, top, sector, &part);
    e->cut = 1;
    if (n->split == LOOP || n->split == REST_MAPPED)
        return segments_pieces(e, n, top, sector, end, &part);
    e->splits++;
    e->resubmitted = 1;
    if (n->split == FRONT) {
        top = give_part(e, n, top, sector, &part);
        return emit(e, top, me, part.stop, end - part.stop);
    }
    top = emit(e, top, me, part.stop, end - part.stop);
    return give_part(e, n, top, sector, &part);
}

INLINE size_t raid10_far(struct engine *e, const struct node *n, size_t top, u64 disk, u64 at, u64 nr)
{
    const struct copies_row *r = &e->plan->mapping[n->pos].copies;
    u64 stride = r->offset ? n->chunk : (u64)r->stride;
    for (i64 left = r->far; left; left--) {
        top = hand(e, n, top, disk, at, nr);
        disk += (u64)r->near;
        if (disk >= n->width)
            disk -= n->width;
        at += stride;
    }
    return top;
}

static size_t raid10_read(struct engine *e, const struct node *n, size_t top, u64 disk, u64 at,
                          u64 nr, u64 wanted)
{
    const struct copies_row *r = &e->plan->mapping[n->pos].copies;
    u64 far = (u64)r->far, close = far == 1 ? wanted : wanted / far;
    disk += close;
    if (disk >= n->width) {
        disk -= n->width;
        at += n->chunk;
    }
    if (far > 1) {
        wanted -= close * far;
        disk = (disk + wanted * (u64)r->near) % n->width;
        at += wanted * (r->offset ? n->chunk : (u64)r->stride);
    }
    return hand(e, n, top, disk, at, nr);
}

struct place { u64 disk, at; };

INLINE struct place raid10_place(const struct node *n, const struct copies_row *r, u64 sector)
{
    u64 near = (u64)r->near, number = over(sector, n->chunk, n->chunk_inv);
    u64 stripe = over(number * near, n->width, n->width_inv);
    u64 disk = number * near - stripe * n->width;
    if (r->offset)
        stripe *= (u64)r->far;
    return (struct place){ disk, stripe * n->chunk + sector - number * n->chunk };
}

INLINE size_t raid10_copies(struct engine *e, const struct node *n, const struct copies_row *r, size_t top,
                            struct place place, u64 sector, u64 nr)
{
    u64 near = (u64)r->near, copies = near * (u64)r->far;
    if (n->op == READ)
        return raid10_read(e, n, top, place.disk, place.at, nr,
                           pick(sector, copies));
    for (; near; near--) {
        top = raid10_far(e, n, top, place.disk, place.at, nr);
        if (++place.disk == n->width) {
            place.disk = 0;
            place.at += n->chunk;
        }
    }
    return top;
}

INLINE size_t raid10_piece(struct engine *e, const struct node *n, size_t top, u64 sector, u64 nr)
{
    const struct copies_row *r = &e->plan->mapping[n->pos].copies;
    return raid10_copies(e, n, r, top, raid10_place(n, r, sector), sector, nr);
}

/* LOOP: one division for all chunks. [sector, stop) is the first piece. */
static size_t raid10_pieces(struct engine *e, const struct node *n, size_t top, u64 sector, u64 end,
                            u64 stop)
{
    const struct copies_row *r = &e->plan->mapping[n->pos].copies;
    struct place place = raid10_place(n, r, sector);
    u64 down = r->offset ? n->chunk * (u64)r->far : n->chunk;
    top = raid10_copies(e, n, r, top, place, sector, stop - sector);
    place.at += stop - sector - n->chunk;
    while (stop < end) {
        sector = stop;
        stop = end - sector < n->chunk ? end : sector + n->chunk;
        place.disk += (u64)r->near;
        if (place.disk >= n->width) {
            place.disk -= n->width;
            place.at += down;
        }
        top = raid10_copies(e, n, r, top, place, sector, stop - sector);
        e->splits++;
    }
    return top;
}

INLINE size_t piece(struct engine *e, const struct node *n, size_t top, u64 sector, u64 nr)
{
    switch (n->kind) {
    case REMAP:
        return hand(e, n, top, 0, sector, nr);
    case MIRROR:
        return hand(e, n, top, pick(sector, n->nkids), sector, nr);
    case RAID10:
        return raid10_piece(e, n, top, sector, nr);
    case RAID456:
        return raid456_piece(e, n, top, sector, nr);
    default:
        return top;
    }
}

static size_t stripe_pieces(struct engine *e, const struct node *n, size_t top, u64 sector, u64 left)
{
    u64 size = n->chunk, chunk = mulhi(sector, n->chunk_inv), row = mulhi(chunk, n->width_inv);
    u64 inside = sector - chunk * size, base = row * size, nr = size - inside;
    u64 need = mulhi(inside + left - 1, n->chunk_inv) + 1;
    const struct kid *kid = n->kids + (chunk - row * n->width), *last = n->kids + n->width - 1;
    struct bio *out, *after;
    e->splits += need - 1;
    e->cut |= need > 1;
    reserve(e, top + need);
    out = after = e->buf + top;
    if (n->split == LOOP)
        after++;
    else
        out += need - 1;
    for (;;) {
        if (nr > left)
            nr = left;
        *out = (struct bio){ base + inside + kid->offset, (u32)nr, kid->node };
        left -= nr;
        if (!left)
            return top + need;
        out = after++;
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

/* FRONT and REST over one striped segment: one chunk's part, and the rest. */
INLINE size_t stripe_front(struct engine *e, const struct node *n, size_t top, u64 sector, u64 nr)
{
    u64 chunk = mulhi(sector, n->chunk_inv), row = mulhi(chunk, n->width_inv);
    u64 inside = sector - chunk * n->chunk, front = n->chunk - inside;
    const struct kid *kid = n->kids + (chunk - row * n->width);
    size_t first = top, rest = top;
    if (nr <= front)
        return emit(e, top, kid->node, row * n->chunk + inside + kid->offset, nr);
    if (n->split == FRONT)
        rest++;
    else
        first++;
    e->cut = e->resubmitted = 1;
    e->splits++;
    reserve(e, top + 2);
    e->buf[first] = (struct bio){ row * n->chunk + inside + kid->offset, (u32)front, kid->node };
    e->buf[rest] = (struct bio){ sector + front, (u32)(nr - front), (u32)(n - e->nodes) };
    return top + 2;
}

static size_t cut_call(struct engine *e, struct node *n, size_t top, u64 sector, u64 end, u64 stop)
{
    u32 me = (u32)(n - e->nodes);
    u64 first = stop;
    e->cut = 1;
    if (n->kind == RAID10 && n->split == LOOP)
        return raid10_pieces(e, n, top, sector, end, stop);
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
        u64 next = stop + n->chunk < end ? stop + n->chunk : end;
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
    if (n->how == HOW_STRIPE)
        return n->split == FRONT || n->split == REST ? stripe_front(e, n, top, sector, nr)
                                                     : stripe_pieces(e, n, top, sector, nr);
    if (n->kind == SEGMENTS)
        return segments_call(e, n, top, sector, nr);
    if (n->chunk) {
        stop = (over(sector, n->chunk, n->chunk_inv) + 1) * n->chunk;
        if (stop < sector + nr)
            return cut_call(e, n, top, sector, sector + nr, stop);
    }
    return piece(e, n, top, sector, nr);
}
