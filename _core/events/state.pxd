# Stations, visits and bios of the event loop. Time is in nanoseconds as a double: exact to 1 ns
# for 104 days. Stations, nodes and bios are numbers; the core knows no device.

from common.numbers cimport i32, i64, u8, u32, u64

cdef enum:
    NONE = 0xFFFFFFFF

cdef enum:
    EV_DONE = 0
    EV_ARRIVE = 1
    EV_THOUGHT = 2

cdef enum:
    RUNNING = 0
    FINISHED = 1
    FULL = 2            # more bios in flight than were allowed for: the load is above capacity
    STALLED = 3         # nothing left to happen: a token is never given back
    BEYOND = 4          # a latency above an hour

cdef enum:
    SUB_BITS = 11               # HdrHistogram with 3 significant digits: 2048 sub-buckets
    HALF = 1 << (SUB_BITS - 1)
    BUCKETS = 32                # up to 2**42 ns = 73 min, as HdrHistogram(1, 3600 s, 3) has
    SLOTS = (BUCKETS + 1) * HALF
    QUANTILES = 1024
    FANOUT = 4

cdef struct Event:              # 16 bytes, four to a cache line: the children of one heap node
    double at
    u32 slot
    u32 kind

cdef struct Node:               # one visit of a template: 64 bytes
    double random_ns
    double constant_ns
    i64 sector
    i64 end
    u32 station
    u32 need
    u32 first
    u32 count
    u32 local                   # number inside its template
    u8 flags
    u8 op
    u8 pad0
    u8 pad1
    u64 pad

cdef struct Visit:              # a node of a bio in flight
    double arrived
    double began
    u32 next                    # in a queue, or in a merged batch
    u32 need                    # predecessors that are not done
    u32 node
    u32 bio
    u32 at                      # station
    u32 pad

cdef struct Bio:
    double began
    double submitted
    u32 kind                    # template
    u32 left                    # foreground nodes
    u32 all_left
    u32 job
    u64 number
    u32 next
    u32 went_on

cdef struct Station:
    u32 free
    u32 head
    u32 tail
    u32 waiting
    u32 servers
    u8 kind
    u8 dist
    u8 merge
    u8 in_pool                  # waits for a core already
    i32 pool
    u32 lookahead
    u64 key
    u64 draws
    u64 picks                   # of one of like stations
    double last                 # of the areas
    double area_here            # integral of the number in the station
    double area_busy
    double sojourn              # sum over visits done
    double waited
    u64 done
    u64 merged
    u32 here
    u32 busy
    u32 most_waiting
    u32 next_in_pool
    const double *quantile
    double seek_ns              # track to track
    double seek_root_ns         # per square root of the sectors in between
    double period_ns            # one rotation
    double expire_ns            # a waiting visit goes first after this
    double pass_ns              # to let one sector pass under the head
    u32 spread                  # like stations from here on
    i64 at_sector
    i64 most_sectors            # of a merged batch

cdef struct Pool:               # cores that several tasks share
    u32 free
    u32 head
    u32 tail

cdef struct Tally:              # per op
    u64 count
    u64 bytes
    double lat
    double lat2
    double lat_min
    double lat_max
    double slat
    double slat2
    double slat_min
    double slat_max

cdef struct Stream:             # bios of one kind of load
    int mode
    u32 depth
    u32 first_job
    u32 jobs
    u32 next_job
    u32 first_kind              # its templates take turns
    u32 end_kind
    u32 next_kind
    double gap_ns               # between arrivals
    double think_ns
    u64 key
    u64 draws

cdef struct Sim:
    Event *heap
    u32 size
    bint hole                   # the root is taken and not filled yet
    double now
    Station *stations
    u32 n_stations
    Pool *pools
    Node *nodes
    const i32 *succ
    const i32 *start            # templates to nodes
    const u32 *foreground
    const u8 *op
    const i64 *bytes
    u32 templates
    u32 width
    Visit *visits
    Bio *bios
    u32 cap
    u32 free_bio
    u32 flying
    u32 most_flying
    u32 *todo                   # slot << 1 | done
    u32 n_todo
    u64 launched
    Stream *streams
    u32 n_streams
    const u32 *stream_of        # jobs to streams
    const double *times
    u64 n_times
    u64 key
    u64 finished
    u64 *lat                    # [n_streams * NOPS * SLOTS]
    u64 *clat
    Tally *tally                # [n_streams * NOPS]
    double *rows                # recorded visits: bio, station, node, arrived, began, done
    u32 n_rows
    u32 most_rows
    u64 record_first
    u64 record_count
    bint plain                  # queues and servers only, every template a chain, one stream
    int why
