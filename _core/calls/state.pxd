# A call graph in numbers, and what one query over it finds on its way.
# A node is a function together with the states that hold there (one bit each): what was passed on
# the way down may rule out calls further below.

from common.numbers cimport i32, i64, u8, u32, u64

cdef enum:
    FOLLOWED = 1        # View.how: calls made by the function are looked at
    EXTRA = 2           # it has calls beside those of the table

cdef enum:
    TO_GOAL = -1        # Call.node: where the path ends, counted by the caller

cdef enum:              # how a search ended
    FOUND
    NO_MEMORY
    TANGLED             # the last group is for the caller to settle; then it goes on

cdef enum:
    MOST_STEPS = 50000      # simple paths inside one cycle, from one of its nodes
    MOST_NESTING = 10000    # calls of such a path: the search stands on our own stack

cdef struct View:       # the graph as one path may follow it
    u32 n               # functions
    u32 n_extra         # functions with calls of their own
    const u32 *rows     # of the table: n_table + 1
    u32 n_table
    const u32 *callees  # by name, in every row
    const i32 *kept         # bytes that the caller keeps during the call
    const u8 *cut       # calls that are not followed
    const u8 *how       # of a function: FOLLOWED, EXTRA
    const i32 *ends     # bytes that count where a path ends; -1: it cannot end there
    const u64 *begins   # states that hold from a function on; NULL: none has any
    const u64 *forbids  # states under which it is not called
    const u32 *callers  # those with EXTRA, ascending
    const u32 *extra_rows
    const u32 *extra_callees
    const i32 *extra_kept       # -1: the call is the table's, and `extra_begins` is what is added
    const i64 *extra_order      # where its name stands among those of the table's functions
    const u64 *extra_begins     # states that hold from this call on
    const i32 *again    # of callers with EXTRA: bytes beside the last round of a recursion

cdef struct Call:
    i32 node
    i32 kept

cdef struct Node:
    u64 states
    i64 best            # bytes of the best path from here; -1: there is none
    u32 function
    i32 same            # the next node of the same function
    u32 first           # its calls
    u32 count
    u32 at              # the next that the search looks at
    u32 number          # in the order in which they were met, from 1; 0: not yet
    u32 low
    u32 group           # of those that call each other; 0: not yet known
    u32 steps           # the best path: its calls up to the one that leaves the group
    u32 n_steps
    u8 stays            # it ends at the last of them
    u8 entered

cdef struct Cell:       # a list of calls that shares its rest with others
    u32 call
    i32 rest

cdef struct Search:
    const View *view
    i64 goal            # a function; -1: a path ends at the deepest one
    Node *nodes
    u32 n_nodes, most_nodes
    Call *calls
    u32 n_calls, most_calls
    u32 *stack          # nodes whose group is not yet known
    u32 n_stack, most_stack
    u32 *way            # nodes that the search stands in
    u32 n_way, most_way
    u32 *steps
    u32 n_steps, most_steps
    Cell *cells
    u32 n_cells, most_cells
    i32 *heads          # first node of a function, by `stamps`
    u32 *stamps
    u32 *avoided
    u32 stamp
    u32 group
    i64 left            # steps inside a cycle
    bint tangled        # the last group has more simple paths than are tried
    u32 knot            # where it begins in `stack`
    u32 number          # nodes met
    bint plain          # states do not matter
    bint no_memory
