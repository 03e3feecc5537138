# SplitMix64's finaliser: a counter to a random number. Streams are functions of (seed, counter), so
# no order of events, thread or slice can change them.

from common.numbers cimport mulhi, u64


cdef inline u64 mix64(u64 z) noexcept nogil:
    z = (z ^ (z >> 30)) * <u64>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <u64>0x94D049BB133111EBULL
    return z ^ (z >> 31)


cdef inline u64 pick(u64 sector, u64 n) noexcept nogil:
    """One of `n` for a region of 64 KiB: which member a mirror reads depends on what else is going
    on, so that no bits of the address may decide it."""
    return mulhi(mix64((sector >> 7) + 1), n)


cdef inline u64 hash32(u64 x) noexcept nogil:
    return mix64(x + 1) >> 32
