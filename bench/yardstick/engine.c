/* The four submission rules, the generator's loop and the counters. */
#include "build.h"
#include "map.h"

APART void first_visit(struct engine *e, const struct node *n)
{
    i64 depth = e->sp + (n->peak >> NEST);
    if (depth > e->out->peak_bytes[n->task]) {
        e->out->peak_bytes[n->task] = depth;
        e->out->peak_bio[n->task] = (i64)e->now;
    }
}

INLINE void visit(struct engine *e, struct node *n)
{
    if (RARE(++n->visits == 0))
        first_visit(e, n);
}

APART void push_job(struct engine *e, const struct bio *b)
{
    size_t waiting;
    if (e->job_tail == e->job_cap) {
        e->job_cap *= 2;
        e->jobs = realloc(e->jobs, e->job_cap * sizeof *e->jobs);
        if (!e->jobs)
            abort();
    }
    e->jobs[e->job_tail] = *b;
    e->jobs[e->job_tail++].node &= ~JOB;
    e->njobs++;
    waiting = e->job_tail - e->job_head;
    if (waiting > e->peak_jobs)
        e->peak_jobs = waiting;
}

APART size_t take_jobs(struct engine *e, size_t base, size_t top)
{
    size_t keep = base;
    for (size_t i = base; i < top; i++) {
        if (e->buf[i].node & JOB)
            push_job(e, e->buf + i);
        else
            e->buf[keep++] = e->buf[i];
    }
    return keep;
}

struct step { struct node *n; u64 sector; };

/* By value: a sector whose address is taken would live in memory, in every loop. */
APART struct step one_segment(struct engine *e, const struct node *n, u64 sector, u64 nr)
{
    const struct seg *seg = segment_at(n, sector);
    const struct kid *kid = n->kids + seg->first;
    if (sector + nr > seg->end && seg != n->segs + n->nsegs - 1)
        return (struct step){ NULL, sector };
    return (struct step){ e->nodes + kid->node, sector + kid->offset - seg->begin };
}

/* Tests in turn: a jump table costs more than the commonest hop. */
INLINE struct node *one_child(struct engine *e, const struct node *n, u64 *sector, u64 nr)
{
    const struct kid *kid;
    u64 chunk, inside, row;
    if (n->how <= HOW_REMAP) {
        *sector += n->delta;
        return n->next;
    }
    if (n->how == HOW_STRIPE) {
        chunk = mulhi(*sector, n->chunk_inv);
        inside = *sector - chunk * n->chunk;
        if (inside + nr > n->chunk)
            return NULL;
        row = mulhi(chunk, n->width_inv);
        kid = n->kids + (chunk - row * n->width);
        *sector = row * n->chunk + inside + kid->offset;
        return e->nodes + kid->node;
    }
    if (n->how == HOW_PICK) {
        kid = n->kids + pick(*sector, n->width);
        *sector += kid->offset;
        return e->nodes + kid->node;
    }
    if (n->how == HOW_SEGMENTS) {
        struct step step = one_segment(e, n, *sector, nr);
        *sector = step.sector;
        return step.n;
    }
    return NULL;
}

/* --- recursive ----------------------------------------------------------------------------- */

static void make_request(struct engine *e, struct node *n, u64 sector, u64 nr, i64 spn);

APART void deep(struct engine *e, i64 depth)
{
    i64 limit = e->plan->task_limit[e->task], *peak = e->out->peak_bytes + e->task;
    e->out->overflows[e->task] += depth > limit;
    if (depth > *peak) {
        *peak = depth;
        e->out->peak_bio[e->task] = (i64)e->now;
        e->watch = (depth < limit ? depth : limit) << NEST | NEST_MASK;
    }
}

APART struct node *give_all(struct engine *e, struct node *n, u64 sector, u64 nr, i64 spn)
{
    size_t base = e->top, top;
    if ((u64)(spn & NEST_MASK) > e->peak_nesting)
        e->peak_nesting = (u64)(spn & NEST_MASK);
    top = map_call(e, n, sector, nr, base);
    if (n->immediate && !e->cut && !e->gave_jobs && top - base == 1) {
        e->imm = e->buf[base];
        return e->nodes + e->imm.node;
    }
    e->top = top;
    for (size_t i = base; i < top; i++) {
        const struct bio *b = e->buf + i; /* field by field: the whole waits for its stores */
        if (b->node & JOB)
            push_job(e, b);
        else
            make_request(e, e->nodes + b->node, b->sector, b->nr, spn + n->step);
    }
    e->top = base;
    return NULL;
}

APART void further(struct engine *e, struct node *n, u64 sector, u64 nr, i64 spn)
{
    for (;;) {
        struct node *child;
        int immediate = n->immediate;
        if (n->how == HOW_LEAF) {
            n->sectors += nr;
            if ((u64)(spn & NEST_MASK) > e->peak_nesting)
                e->peak_nesting = (u64)(spn & NEST_MASK);
            return;
        }
        child = one_child(e, n, &sector, nr);
        if (!child) {
            child = give_all(e, n, sector, nr, spn);
            if (!child)
                return;
            sector = e->imm.sector;
            nr = e->imm.nr;
        } else if (!immediate) {
            make_request(e, child, sector, nr, spn + n->step);
            return;
        }
        n = child;
        n->visits++;
        if (RARE(spn + n->peak > e->watch))
            deep(e, (spn + n->peak) >> NEST);
    }
}

APART void deep_further(struct engine *e, struct node *n, u64 sector, u64 nr, i64 spn)
{
    deep(e, (spn + n->peak) >> NEST);
    further(e, n, sector, nr, spn);
}

static void __attribute__((noinline))
make_request(struct engine *e, struct node *n, u64 sector, u64 nr, i64 spn)
{
    n->visits++;
    if (RARE(spn + n->peak > e->watch)) {
        deep_further(e, n, sector, nr, spn);
    } else if (n->how == HOW_LINEAR) {
        make_request(e, n->next, sector + n->delta, nr, spn + n->step);
    } else if (n->how == HOW_LEAF) {
        n->sectors += nr;
        if (RARE((u64)(spn & NEST_MASK) > e->peak_nesting))
            e->peak_nesting = (u64)(spn & NEST_MASK);
    } else {
        further(e, n, sector, nr, spn);
    }
}

INLINE void recursive_call(struct engine *e, struct node *n, u64 sector, u64 nr, i64 sp)
{
    i64 limit = e->plan->task_limit[n->task], peak = e->out->peak_bytes[n->task];
    e->task = n->task;
    e->watch = (peak < limit ? peak : limit) << NEST | NEST_MASK;
    e->top = 0;
    make_request(e, n, sector, nr, sp << NEST | 1);
}

/* --- serialised ---------------------------------------------------------------------------- */

INLINE void fifo_call(struct engine *e, struct node *n, u64 sector, u64 nr)
{
    size_t head = 0, tail = 0;
    for (;;) {
        struct node *child;
        visit(e, n);
        if (n->how == HOW_REMAP) {
            sector += n->delta;
            n = n->next;
            continue;
        }
        if (head == tail && n->how == HOW_LINEAR) {
            e->handed = 1;
            do {
                sector += n->delta;
                n = n->next;
                visit(e, n);
            } while (n->how == HOW_LINEAR);
        }
        if (n->how == HOW_LEAF) {
            n->sectors += nr;
            if (head == tail)
                return;
        } else if ((child = one_child(e, n, &sector, nr))) {
            int immediate = n->immediate;
            n = child;
            if (immediate)
                continue;
            e->handed = 1;
            if (head == tail)
                continue;
            tail = emit(e, tail, (u32)(n - e->nodes), sector, nr);
        } else {
            size_t before;
            if (tail >= 64 && head >= tail >> 1) {
                memmove(e->buf, e->buf + head, (tail - head) * sizeof *e->buf);
                tail -= head;
                head = 0;
            }
            before = tail;
            tail = map_call(e, n, sector, nr, tail);
            if (RARE(e->gave_jobs))
                tail = take_jobs(e, before, tail);
            if (n->immediate && tail - before == 1 && !e->cut) {
                struct bio b = e->buf[--tail];
                n = e->nodes + b.node;
                sector = b.sector;
                nr = b.nr;
                continue;
            }
            if (tail - head > e->peak_pending)
                e->peak_pending = tail - head;
            if (head == tail)
                return;
        }
        sector = e->buf[head].sector;
        nr = e->buf[head].nr;
        n = e->nodes + e->buf[head++].node;
    }
}

INLINE void exchange(struct bio *a, struct bio *b)
{
    u64 sector = a->sector;
    u32 nr = a->nr, node = a->node;
    a->sector = b->sector;
    a->nr = b->nr;
    a->node = b->node;
    b->sector = sector;
    b->nr = nr;
    b->node = node;
}

APART void lower_first(struct engine *e, const struct node *n, size_t base, size_t top)
{
    struct bio *list = e->buf + base;
    size_t count = top - base, out = 0;
    if (count == 2) {
        if (e->nodes[list[0].node].queue != n->queue || e->nodes[list[1].node].queue == n->queue)
            exchange(list, list + 1);
        return;
    }
    if (!n->kin && !e->resubmitted) {
        for (size_t i = 0, j = count - 1; i < j; i++, j--)
            exchange(list + i, list + j);
        return;
    }
    memcpy(e->spare, list, count * sizeof *list);
    for (size_t i = count; i-- > 0;)
        if (e->nodes[e->spare[i].node].queue == n->queue)
            list[out++] = e->spare[i];
    for (size_t i = count; i-- > 0;)
        if (e->nodes[e->spare[i].node].queue != n->queue)
            list[out++] = e->spare[i];
}

INLINE void stack_call(struct engine *e, struct node *n, u64 sector, u64 nr, int two_lists)
{
    size_t top = 0;
    for (;;) {
        struct node *child;
        visit(e, n);
        if (n->how == HOW_REMAP) {
            sector += n->delta;
            n = n->next;
            continue;
        }
        if (n->how == HOW_LINEAR) {
            e->handed = 1;
            do {
                sector += n->delta;
                n = n->next;
                visit(e, n);
            } while (n->how == HOW_LINEAR);
        }
        if (n->how == HOW_LEAF) {
            n->sectors += nr;
        } else if ((child = one_child(e, n, &sector, nr))) {
            e->handed |= !n->immediate;
            n = child;
            continue;
        } else {
            size_t base = top;
            top = map_call(e, n, sector, nr, base);
            if (RARE(e->gave_jobs))
                top = take_jobs(e, base, top);
            if (n->immediate && top - base == 1 && !e->cut) {
                struct bio b = e->buf[--top];
                n = e->nodes + b.node;
                sector = b.sector;
                nr = b.nr;
                continue;
            }
            if (top > e->peak_pending && top != base)
                e->peak_pending = top;
            if (two_lists && top - base > 1)
                lower_first(e, n, base, top);
        }
        if (!top)
            return;
        top--;
        sector = e->buf[top].sector;
        nr = e->buf[top].nr;
        n = e->nodes + e->buf[top].node;
    }
}

INLINE void outermost(struct engine *e, struct node *n, u64 sector, u64 nr, i64 sp, int rule)
{
    if (rule == RECURSIVE) {
        recursive_call(e, n, sector, nr, sp);
        return;
    }
    e->sp = sp;
    if (rule == FIFO)
        fifo_call(e, n, sector, nr);
    else
        stack_call(e, n, sector, nr, rule == TWO_LIST);
}

INLINE void run_rule(struct engine *e, const struct draw *d, u64 first, u64 count, int rule)
{
    const u64 golden = 0x9E3779B97F4A7C15ULL, key = mix64(d->seed + golden);
    struct node *roots[NOPS];
    for (u32 op = 0; op < NOPS; op++)
        roots[op] = e->nodes + (op == READ ? 0 : 1);
    for (u64 i = first; i < first + count; i++) {
        u64 a = mix64(key + (2 * i + 1) * golden), b = mix64(key + (2 * i + 2) * golden);
        u32 lo = (u32)b, op = 0;
        u64 nr = d->size_lo + (((b >> 32) * d->size_count) >> 32) * d->size_step, sector;
        for (int o = 0; o < NOPS - 1; o++)
            op += lo > d->op_threshold[o];
        sector = mulhi(a, ((d->capacity - nr) >> d->align_shift) + 1) << d->align_shift;
        e->now = i;
        outermost(e, roots[op], sector, nr, e->plan->entry[op], rule);
        if (RARE(e->job_tail)) {
            while (e->job_head < e->job_tail) {
                struct bio job = e->jobs[e->job_head++];
                struct node *n = e->nodes + job.node;
                outermost(e, n, job.sector, job.nr, e->plan->task_entry[n->task], rule);
            }
            e->job_head = e->job_tail = 0;
        }
    }
}

APART void run_recursive(struct engine *e, const struct draw *d, u64 first, u64 count)
{ run_rule(e, d, first, count, RECURSIVE); }
APART void run_fifo(struct engine *e, const struct draw *d, u64 first, u64 count)
{ run_rule(e, d, first, count, FIFO); }
APART void run_two_list(struct engine *e, const struct draw *d, u64 first, u64 count)
{ run_rule(e, d, first, count, TWO_LIST); }
APART void run_lifo(struct engine *e, const struct draw *d, u64 first, u64 count)
{ run_rule(e, d, first, count, LIFO); }

static void settle(struct engine *e)
{
    const struct plan *p = e->plan;
    struct counters *c = e->out;
    if (e->handed && !e->peak_pending)
        e->peak_pending = 1;
    for (size_t i = 0; i < e->count; i++) {
        struct node *n = e->nodes + i;
        u64 visits = n->visits + 1;
        i64 sp = n->task ? p->task_entry[n->task] : p->entry[n->op];
        c->visits[NOPS * (size_t)n->pos + n->op] += visits;
        c->sectors[n->pos] += n->sectors;
        if (!visits || p->rule == RECURSIVE)
            continue;
        if (!e->peak_nesting)
            e->peak_nesting = 1;
        if (sp + (n->peak >> NEST) > p->task_limit[n->task])
            c->overflows[n->task] += visits;
    }
    for (i64 t = 0; t < p->tasks; t++)
        if (c->peak_bio[t] < 0)
            c->peak_bytes[t] = 0;
    c->splits = e->splits;
    c->jobs = e->njobs;
    c->peak_pending = e->peak_pending;
    c->peak_jobs = e->peak_jobs;
    c->peak_nesting = e->peak_nesting;
}

__attribute__((visibility("default")))
int yardstick_run(const struct plan *p, const struct draw *d, u64 first, u64 count,
                  struct counters *out)
{
    static void (*const run[])(struct engine *, const struct draw *, u64, u64) =
        { run_recursive, run_fifo, run_two_list, run_lifo };
    struct engine e = { .plan = p, .out = out, .cap = 256, .job_cap = 256 };
    int bad;
    for (i64 t = 0; t < p->tasks; t++)
        out->peak_bytes[t] = out->peak_bio[t] = -1;
    e.buf = malloc(e.cap * sizeof *e.buf);
    e.spare = malloc(e.cap * sizeof *e.spare);
    e.jobs = malloc(e.job_cap * sizeof *e.jobs);
    bad = !e.buf || !e.spare || !e.jobs || build(&e, p);
    if (!bad) {
        run[p->rule](&e, d, first, count);
        settle(&e);
    }
    free(e.buf);
    free(e.spare);
    free(e.jobs);
    free(e.nodes);
    free(e.kid_arena);
    free(e.seg_arena);
    return bad;
}
