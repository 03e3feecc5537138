/* The yardstick: the submission engines by hand in C, as fast as we can write them.
 * Same plan arrays, same generator, same counters as blockstack._core; no door, no interrupts,
 * one root, and the kinds that the benchmark's topologies use. The numbers of the plan (READ, FIFO,
 * RAID10 ...) and `union mapping_row` come before this file: contract() in __init__.py writes them
 * from blockstack/engine/plan. */
#ifndef BLOCKSTACK_YARDSTICK_PLAN_H
#define BLOCKSTACK_YARDSTICK_PLAN_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef int32_t i32;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;

#define RARE(x) __builtin_expect(!!(x), 0)
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))

struct plan {                           /* filled through ctypes: see bench/yardstick/__init__.py */
    i64 positions, tasks;
    const u8 *op_kind, *split, *immediate;
    const i32 *queue, *task;
    const i64 *max_sectors;
    const i32 *through, *peak, *child_start, *child, *wchild;
    const i64 *child_offset;
    const i32 *seg_start;
    const i64 *seg_begin, *seg_end;
    const i32 *seg_first, *seg_width;
    const i64 *seg_chunk;
    const union mapping_row *mapping;
    const i32 *entry, *task_entry, *task_limit;
    i32 root, rule;
};

struct draw {
    u64 seed, size_lo, size_step, size_count, align_shift, capacity;
    u32 op_threshold[NOPS];
};

struct counters {
    u64 *visits, *sectors, *overflows;
    i64 *peak_bytes, *peak_bio;
    u64 splits, jobs, peak_pending, peak_jobs, peak_nesting;
};
#endif
