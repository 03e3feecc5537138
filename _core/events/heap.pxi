# The pending events: a 4-ary heap. Most events cause exactly one other, which takes the root's
# place and sinks once, where a pop and a push would sink and rise.


cdef inline void sink(Event *heap, u32 size, Event e) noexcept nogil:
    """Put `e` at the root and let it sink."""
    cdef u32 at = 0, child, least, last
    while True:
        child = FANOUT * at + 1
        if child >= size:
            break
        least = child
        last = child + FANOUT
        if last > size:
            last = size
        child += 1
        while child < last:
            least = child if heap[child].at < heap[least].at else least
            child += 1
        if heap[least].at >= e.at:
            break
        heap[at] = heap[least]
        at = least
    heap[at] = e


cdef inline void push(Sim *s, double at, u32 slot, u32 kind) noexcept nogil:
    cdef Event e
    cdef u32 hole, up
    e.at = at
    e.slot = slot
    e.kind = kind
    if s.hole:
        s.hole = False
        sink(s.heap, s.size, e)
        return
    hole = s.size
    s.size += 1
    while hole:
        up = (hole - 1) // FANOUT
        if s.heap[up].at <= at:
            break
        s.heap[hole] = s.heap[up]
        hole = up
    s.heap[hole] = e


cdef inline bint pop(Sim *s, Event *e) noexcept nogil:
    """The next event; False when there is none."""
    cdef Event last
    if s.hole:
        s.hole = False
        s.size -= 1
        if s.size:
            last = s.heap[s.size]
            sink(s.heap, s.size, last)
    if s.size == 0:
        return False
    e[0] = s.heap[0]
    s.hole = True
    return True
