# Operations of a bio, in the order of every table that has a row for each.

cdef enum:
    NOPS = 5
    READ = 0
    WRITE = 1
    FLUSH = 2
    DISCARD = 3
    FUA = 4
