# What was asked once: (question, set, set or number, number) -> set. Open addressing, never emptied
# but whole.


cdef class Memo:
    """Answers by two words."""

    cdef uint64_t *keys
    cdef int64_t *more
    cdef int32_t *values
    cdef Py_ssize_t room, count

    def __cinit__(self):
        self.keys = NULL
        self.more = NULL
        self.values = NULL
        self._make(1 << 16)

    def __dealloc__(self):
        self._drop()

    cdef void _drop(self) noexcept:
        free(self.keys)
        free(self.more)
        free(self.values)

    cdef int _make(self, Py_ssize_t room) except -1:
        self.keys = <uint64_t *> calloc(room, 8)
        self.more = <int64_t *> malloc(room * 8)
        self.values = <int32_t *> malloc(room * 4)
        self.room, self.count = room, 0
        if self.keys == NULL or self.more == NULL or self.values == NULL:
            raise MemoryError()
        return 0

    cdef inline Py_ssize_t _at(self, uint64_t key, int64_t more) noexcept nogil:
        cdef uint64_t h = (key * <uint64_t> 0x9E3779B97F4A7C15) ^ (
            <uint64_t> more * <uint64_t> 0xC2B2AE3D27D4EB4F)
        cdef Py_ssize_t i
        h ^= h >> 29
        h *= <uint64_t> 0xBF58476D1CE4E5B9
        i = <Py_ssize_t> (h >> 20) & (self.room - 1)
        while self.keys[i] and not (self.keys[i] == key and self.more[i] == more):
            i = (i + 1) & (self.room - 1)
        return i

    cdef int put(self, uint64_t key, int64_t more, int32_t value) except -1:
        if 2 * self.count > self.room:
            self._grow()
        cdef Py_ssize_t i = self._at(key, more)
        self.count += self.keys[i] == 0
        self.keys[i], self.more[i], self.values[i] = key, more, value
        return 0

    cdef int _grow(self) except -1:
        cdef uint64_t *keys = self.keys
        cdef int64_t *more = self.more
        cdef int32_t *values = self.values
        cdef Py_ssize_t room = self.room, i, at
        self._make(2 * room)
        for i in range(room):
            if keys[i]:
                at = self._at(keys[i], more[i])
                self.keys[at], self.more[at], self.values[at] = keys[i], more[i], values[i]
                self.count += 1
        free(keys)
        free(more)
        free(values)
        return 0

    def clear(self):
        """Forget everything."""
        self._drop()
        self._make(1 << 16)
