/* Nodes, the state of a run, and what every part of the engine does with them. */
#ifndef BLOCKSTACK_YARDSTICK_STATE_H
#define BLOCKSTACK_YARDSTICK_STATE_H
#include "plan.h"

enum { HOW_LINEAR, HOW_REMAP, HOW_LEAF, HOW_STRIPE, HOW_PICK,
       HOW_SEGMENTS, HOW_ALL, HOW_CALL };
enum { NEST = 20, NEST_MASK = (1 << 20) - 1, JOB = 1u << 31, NONE = JOB - 1 };

struct bio { u64 sector; u32 nr, node; };
struct kid { u64 offset; u32 node, job, job_read, pad; };
struct seg { u64 begin, end, chunk, chunk_inv, width_inv; u32 first, width; };

struct node {
    u64 visits;                         /* from -1: the first visit wraps to 0 */
    u64 sectors, delta;
    struct node *next;
    i64 peak, step;                     /* << NEST */
    u8 how, kind, split, immediate, op, kin, pad[2];
    i32 task;
    u32 queue;
    const struct kid *kids;
    const struct seg *segs;
    u64 max_sectors, chunk, chunk_inv, width_inv;
    u32 width, nsegs, nkids, pos;
} __attribute__((aligned(64)));

struct engine {
    struct bio *buf;
    size_t cap, top;
    i64 watch, sp;
    struct node *nodes;
    u64 now, handed, splits, peak_pending, peak_nesting;
    int cut, gave_jobs, resubmitted;
    i32 task;
    struct bio imm, *jobs, *spare;
    size_t job_head, job_tail, job_cap, count;
    u64 njobs, peak_jobs;
    const struct plan *plan;
    struct counters *out;
    struct kid *kid_arena;
    struct seg *seg_arena;
};

INLINE u64 mulhi(u64 a, u64 b) { return (u64)(((unsigned __int128)a * b) >> 64); }

INLINE u64 mix64(u64 z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

INLINE u64 pick(u64 sector, u64 n) { return mulhi(mix64((sector >> 7) + 1), n); }

INLINE void reserve(struct engine *e, size_t need)
{
    if (RARE(need > e->cap)) {
        while (e->cap < need)
            e->cap *= 2;
        e->buf = realloc(e->buf, e->cap * sizeof *e->buf);
        e->spare = realloc(e->spare, e->cap * sizeof *e->spare);
        if (!e->buf || !e->spare)
            abort();
    }
}

INLINE size_t emit(struct engine *e, size_t top, u32 node, u64 sector, u64 nr)
{
    reserve(e, top + 1);
    e->buf[top] = (struct bio){ sector, (u32)nr, node };
    return top + 1;
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
#endif
