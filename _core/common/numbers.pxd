# Numbers of a known width, and what C compilers do well with them.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

ctypedef uint8_t u8
ctypedef int32_t i32
ctypedef uint32_t u32
ctypedef int64_t i64
ctypedef uint64_t u64

cdef extern from *:
    """
    static inline __attribute__((always_inline)) uint64_t bs_mulhi(uint64_t a, uint64_t b)
    { return (uint64_t)(((unsigned __int128)a * b) >> 64); }
    static inline __attribute__((always_inline)) uint64_t bs_bits(uint64_t x)
    { return (uint64_t)__builtin_popcountll(x); }
    static inline __attribute__((always_inline)) uint64_t bs_top(uint64_t x)
    { return 63 - (uint64_t)__builtin_clzll(x); }
    static inline __attribute__((always_inline)) double bs_minus_log(double u)
    {
        uint64_t bits;
        __builtin_memcpy(&bits, &u, 8);
        double e = (double)((int64_t)(bits >> 52) - 1023), m, z, w;
        bits = (bits & 0xFFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL;
        __builtin_memcpy(&m, &bits, 8);
        z = (m - 1.4142135623730951) / (m + 1.4142135623730951);
        w = z * z;
        return -((e + 0.5) * 0.6931471805599453 + 2.0 * z * (1.0 + w * (1.0 / 3 + w * (1.0 / 5
               + w * (1.0 / 7 + w * (1.0 / 9 + w * (1.0 / 11 + w * (1.0 / 13
               + w * (1.0 / 15)))))))));
    }
    #define bs_rare(x) __builtin_expect(!!(x), 0)
    """
    u64 mulhi "bs_mulhi"(u64 a, u64 b) noexcept nogil
    u64 bits "bs_bits"(u64 x) noexcept nogil
    u64 top_bit "bs_top"(u64 x) noexcept nogil
    double minus_log "bs_minus_log"(double u) noexcept nogil    # by the series of atanh
    bint rare "bs_rare"(bint x) noexcept nogil


cdef inline u64 inverse(u64 d, u64 reach) noexcept nogil:
    """M with x // d == mulhi(x, M) for every x <= reach; 0 when there is none.

    M = ceil(2**64 / d) = (2**64 + e) / d is right while x * e < 2**64; e < d, and 0 for 2**n.
    """
    cdef u64 whole
    if d < 2:
        return 0
    whole = <u64>0xFFFFFFFFFFFFFFFFULL // d
    if d & (d - 1) and mulhi(reach + 2 * d, d) != 0:
        return 0
    return whole + 1
