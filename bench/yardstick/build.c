/* Positions to nodes: two per position, its reads and its writes. */
#include "build.h"

static u64 inverse(u64 d) { return d < 2 ? 0 : ~0ULL / d + 1; }    /* exact below 2**64 / d */

static u32 id(i64 position, u32 op)
{
    return position < 0 ? NONE : (u32)(2 * position + (op == READ ? 0 : 1));
}

static int all_linear(const struct node *n)
{
    for (u32 i = 0; i < n->nsegs; i++)
        if (n->segs[i].width != 1 || n->segs[i].chunk)
            return 0;
    return n->nsegs > 1;
}

static u8 how_of(struct node *n)
{
    if (n->max_sectors)
        return HOW_CALL;
    if (n->kind == LEAF)
        return HOW_LEAF;
    if (n->kind == REMAP || (n->kind == SEGMENTS && n->nsegs == 1 && n->segs->width == 1
                             && !n->segs->chunk)) {
        const struct kid *kid = n->kids + (n->kind == REMAP ? 0 : n->segs->first);
        n->delta = kid->offset;
        n->next = (struct node *)(size_t)kid->node;
        return n->immediate ? HOW_REMAP : HOW_LINEAR;
    }
    if (n->kind == SEGMENTS && n->nsegs == 1 && n->segs->width > 1 && n->segs->chunk > 1) {
        n->chunk = n->segs->chunk;
        n->chunk_inv = n->segs->chunk_inv;
        n->width = n->segs->width;
        n->width_inv = n->segs->width_inv;
        return HOW_STRIPE;
    }
    if (n->kind == SEGMENTS && all_linear(n))
        return HOW_SEGMENTS;
    if (n->kind == MIRROR && n->op == READ && n->nkids > 1) {
        n->width = n->nkids;
        n->width_inv = inverse(n->nkids);
        return HOW_PICK;
    }
    return n->kind == MIRROR && n->op != READ ? HOW_ALL : HOW_CALL;
}

static void fill(struct engine *e, const struct plan *p, size_t pos, u32 op)
{
    struct node *n = e->nodes + id((i64)pos, op);
    size_t first = (size_t)p->child_start[pos];
    struct kid *kids = e->kid_arena + 2 * first;
    n->nkids = (u32)(p->child_start[pos + 1] - p->child_start[pos]);
    kids += op == READ ? 0 : n->nkids;
    n->visits = ~0ULL;
    n->peak = (i64)p->peak[NOPS * pos + op] << NEST;
    n->step = (i64)p->through[NOPS * pos + op] << NEST | 1;
    n->kind = p->op_kind[pos];
    n->split = p->split[pos];
    n->immediate = p->immediate[pos];
    n->op = (u8)op;
    n->task = p->task[pos];
    n->queue = (u32)p->queue[pos];
    n->max_sectors = (u64)p->max_sectors[pos];
    n->pos = (u32)pos;
    n->segs = e->seg_arena + p->seg_start[pos];
    n->nsegs = (u32)(p->seg_start[pos + 1] - p->seg_start[pos]);
    n->kids = kids;
    for (u32 k = 0; k < n->nkids; k++) {
        i32 child = p->child[first + k], job = p->wchild[first + k];
        kids[k] = (struct kid){ (u64)p->child_offset[first + k], id(child, op), id(job, op),
                                id(job, READ), 0 };
        if (child >= 0 && p->queue[child] == p->queue[pos])
            n->kin = 1;
    }
    if (n->kind == RAID10) {
        const struct copies_row *r = &p->mapping[pos].copies;
        n->chunk = (u64)r->chunk;
        n->width = (u32)r->disks;
        n->width_inv = inverse(n->width);
        n->delta = inverse((u64)(r->near * r->far));
    } else if (n->kind == RAID456 && op == READ) {
        const struct parity_row *r = &p->mapping[pos].parity;
        if (r->flags & ALIGNED_READ && !r->failed)
            n->chunk = (u64)r->chunk;
    }
    n->chunk_inv = inverse(n->chunk);
    n->how = how_of(n);
}

int build(struct engine *e, const struct plan *p)
{
    size_t count = 2 * (size_t)p->positions, segs = (size_t)p->seg_start[p->positions];
    e->count = count;
    e->nodes = aligned_alloc(64, count * sizeof *e->nodes);
    e->kid_arena = malloc((2 * (size_t)p->child_start[p->positions] + 1) * sizeof *e->kid_arena);
    e->seg_arena = malloc((segs + 1) * sizeof *e->seg_arena);
    if (!e->nodes || !e->kid_arena || !e->seg_arena || p->root != 0)
        return 1;
    memset(e->nodes, 0, count * sizeof *e->nodes);
    for (i64 pos = 0; pos < p->positions; pos++)
        for (i32 i = p->seg_start[pos]; i < p->seg_start[pos + 1]; i++)
            e->seg_arena[i] = (struct seg){
                (u64)p->seg_begin[i], (u64)p->seg_end[i], (u64)p->seg_chunk[i],
                inverse((u64)p->seg_chunk[i]), inverse((u64)p->seg_width[i]),
                (u32)(p->seg_first[i] - p->child_start[pos]), (u32)p->seg_width[i] };
    for (i64 pos = 0; pos < p->positions; pos++) {
        fill(e, p, (size_t)pos, READ);
        fill(e, p, (size_t)pos, WRITE);
    }
    for (size_t i = 0; i < count; i++)
        if (e->nodes[i].how == HOW_LINEAR || e->nodes[i].how == HOW_REMAP)
            e->nodes[i].next = e->nodes + (size_t)e->nodes[i].next;
    return 0;
}
