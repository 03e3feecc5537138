# What a capacity plan's numbers mean. blockstack/engine/capacity/arrays.py has the same for Python,
# and tests/core/test_contract.py compares the two.

cdef enum:              # ServicePlan.kind: what a station is
    QUEUE = 0           # `servers` servers and one FIFO
    DELAY = 1           # never waits: a wire, a thinking user
    TOKENS = 2          # held from one node to another: tags of a queue depth, bytes of a buffer

cdef enum:              # ServicePlan.dist: what `random_ns` of a node is the mean of
    CONSTANT = 0
    EXPONENTIAL = 1
    EMPIRICAL = 2       # the station's table of quantiles, scaled to the mean
    DISK = 3            # seek and rotation, from the last sector and the time; random_ns is added

cdef enum:              # ServicePlan.flags
    PER_JOB = 1         # station + number of the bio's job
    BACKGROUND = 2      # the bio completes without it (write-behind)
    RELEASE = 4         # gives a token back
    CALLER = 8          # runs in the submitting task: its end is the end of submission
    SPREAD = 16         # at one of `spread` like stations in a row, by the place's hash: a die

cdef enum:              # Load.mode: how bios arrive
    CLOSED = 0          # jobs x depth bios circulate
    OPEN = 1            # Poisson arrivals
    PACED = 2           # arrivals at a constant rate
    TRACE = 3           # arrival times are given
