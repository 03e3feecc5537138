# One thread's world while bios run: nodes, lists, counters. Nobody outside the engines sees it.

from common.numbers cimport i32, i64, u8, u32, u64
from common.ops cimport NOPS
from common.plan cimport LimitRow, Plan

cdef enum:
    MIXED = 4           # a rule: the ops of one run follow different ones
    EVERY_CHILD = 255   # a mapping: a flush, or a write to a mirror

cdef enum:              # what the engines do with a node without leaving their loop
    STEP_LINEAR = 0     # one child, never cut
    STEP_REMAP = 1      # the same, immediate
    STEP_LEAF = 2
    STEP_STRIPE = 3     # one segment over several children; a bio inside one chunk
    STEP_PICK = 4       # a read of a mirror: one child
    STEP_SEGMENTS = 5   # several linear segments; a bio inside one
    STEP_ALL = 6        # a write to a mirror in the caller's context
    STEP_CALL = 7       # everything else: the general driver call

cdef enum:              # Node.flags
    KIN = 1             # some child shares the node's queue
    SELF_CALLS = 2      # md's driver loops over the pieces by calling itself

cdef enum:
    BAD_NONE = 0
    BAD_MEMORY = 1
    BAD_NESTING = 2
    BAD_LINK = 3
    BAD_DISCARD = 4

cdef enum:
    MAX_NESTING = 100000
    NEST_BITS = 20              # a packed depth is bytes << 20 | nesting
    NEST_MASK = 0xFFFFF
    MAX_QUEUE = 1 << 26         # bios in one list: 1 GiB; more is an error, never a silent cut
    NO_NODE = 0x7FFFFFFF
    JOB_BIT = 0x80000000

cdef struct Bio:                # 16 bytes: the op is constant inside one outermost call
    u64 sector
    u32 nr
    u32 node                    # JOB_BIT: hand over to a worker

cdef struct Kid:
    u64 offset                  # sectors added on the way down
    u32 node                    # in the caller's task, same op
    u32 job                     # in the worker's task, same op
    u32 job_read
    u32 job_write

cdef struct Seg:
    u64 begin
    u64 end
    u64 chunk
    u64 chunk_inv               # 0: divide by hardware
    u64 width_inv
    u32 first
    u32 width

cdef struct Node:               # one (position, op, entry class): two cache lines, the first hot
    u64 visits                  # starts at -1: the first visit is the one that reaches 0
    u64 sectors
    u64 delta                   # STEP_LINEAR, STEP_REMAP; RAID10: inverse of its copies
    Node *next
    i64 peak_up                 # peak << NEST_BITS
    i64 step                    # through << NEST_BITS | 1
    u8 how                      # STEP_*
    u8 kind
    u8 split
    u8 immediate
    u8 worker                   # children are handed over as jobs
    u8 op
    u8 rule
    u8 flags                    # KIN, SELF_CALLS
    i32 task
    u32 queue
    # second line
    Kid *kids
    Seg *segs
    const LimitRow *limit       # NULL: the queue takes bios of any length
    u64 chunk                   # where a bio is cut: STEP_STRIPE, all kinds but SEGMENTS
    u64 chunk_inv
    u64 width_inv
    u32 width
    u32 nsegs
    u32 nkids
    u32 pos

cdef struct Source:             # where bios come from: drawn, or explicit columns
    bint columns
    const u8 *col_op
    const i64 *col_sector
    const i64 *col_nr
    const i32 *col_root
    u64 key
    u32 op_threshold[NOPS]
    u32 op_first
    int size_mode
    const u32 *size_threshold
    const u32 *size_sectors
    u64 size_n
    u64 size_lo
    u64 size_step
    int pattern
    u64 align
    int align_shift             # -1: not a power of two
    u64 stride
    u64 span
    u64 zipf_n
    double zipf_zetan
    double zipf_second          # 1 + 0.5**theta
    double zipf_eta
    double zipf_alpha
    const i64 *capacity
    u64 offset                  # added to every sector that is drawn
    Py_ssize_t roots
    const u32 *root_threshold

cdef struct Irq:
    double log1p_not
    Py_ssize_t classes
    const i32 *bytes
    const u32 *threshold
    u64 base                    # of the running bio's stream
    u64 draws
    u64 countdown
    u64 strikes
    u64 overflows
    i64 peak

cdef struct Key:                # what a node stands for
    u32 pos
    u8 op
    u8 worker                   # reached as a job, or below one
    i64 sp                      # entry depth under a serialised rule
    size_t kid                  # first kid in the arena

cdef struct State:              # one thread's whole world
    Bio *buf                    # the task's bio_list; under recursion, the frames' emissions
    size_t cap
    size_t top                  # recursion only
    u32 *part                   # piece number of each emission (for LOOP's self calls)
    i64 watch                   # packed depth above which a hop is looked at more closely
    Node *nodes
    u64 bio                     # running source bio
    u64 handed                  # some queued hand-over happened
    u64 splits
    u64 peak_pending
    u64 peak_nesting
    u64 pieces                  # of the latest driver call
    bint cut
    bint gave_jobs
    bint resubmitted            # the latest call gave a rest back to its own device
    int why                     # BAD_*: the run stops
    u32 bad_pos
    u32 bad_op
    Bio *jobs
    size_t job_head
    size_t job_tail
    size_t job_cap
    u64 njobs
    u64 peak_jobs
    i64 sp                      # of the running outermost call (serialised rules)
    i32 task
    u64 imm_sector
    u64 imm_nr
    Bio *scratch
    size_t count                # nodes
    Key *keys                   # [count]
    Kid *kid_arena
    Seg *seg_arena
    u32 *root_node              # [R*NOPS]
    i64 *peak                   # [T]
    i64 *peak_bio               # [T]
    u64 *overflows              # [T]
    const Plan *plan
    Irq irq
