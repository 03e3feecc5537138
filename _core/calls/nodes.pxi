# Nodes as they are met, and the calls that lead on from each.


cdef inline bint grow(void **where, u32 *most, u32 size) noexcept nogil:
    """Twice the room; False: there is no memory."""
    cdef u32 more = 2 * most[0] if most[0] else 256
    cdef void *found
    if most[0] >= 1 << 30:
        return False
    found = realloc(where[0], <size_t> more * size)
    if found == NULL:
        return False
    where[0] = found
    most[0] = more
    return True


cdef i32 node_of(Search *s, u32 function, u64 states) noexcept nogil:
    """The node of a function in these states; -1: there is no memory."""
    cdef i32 at = s.heads[function] if s.stamps[function] == s.stamp else -1
    cdef Node *node
    while at >= 0:
        if s.nodes[at].states == states:
            return at
        at = s.nodes[at].same
    if s.n_nodes == s.most_nodes:
        if not grow(<void **> &s.nodes, &s.most_nodes, sizeof(Node)):
            s.no_memory = True
            return -1
    node = &s.nodes[s.n_nodes]
    memset(node, 0, sizeof(Node))
    node.function = function
    node.states = states
    node.same = s.heads[function] if s.stamps[function] == s.stamp else -1
    s.stamps[function] = s.stamp
    s.heads[function] = s.n_nodes
    s.n_nodes += 1
    return s.n_nodes - 1


cdef void add_call(Search *s, u32 from_, u32 callee, i32 kept, u64 more) noexcept nogil:
    """A call that leads on from a node, unless the states or the question rule it out."""
    cdef const View *v = s.view
    cdef u64 states = s.nodes[from_].states
    cdef Call call
    if callee == s.nodes[from_].function:
        return              # direct recursion is bounded by its caller, never counted here
    if v.forbids != NULL and not s.plain and states & v.forbids[callee]:
        return
    if callee == s.goal:
        call.node = TO_GOAL
    elif s.avoided[callee] == s.stamp:
        return
    elif s.plain:
        call.node = node_of(s, callee, 0)
    else:
        states |= more
        if v.begins != NULL:
            states |= v.begins[callee]
        call.node = node_of(s, callee, states)
    call.kept = kept
    if s.n_calls == s.most_calls:
        if not grow(<void **> &s.calls, &s.most_calls, sizeof(Call)):
            s.no_memory = True
            return
    s.calls[s.n_calls] = call
    s.n_calls += 1


cdef inline u32 place_of(const View *v, u32 function) noexcept nogil:
    """Which of the callers with calls of their own a function is."""
    cdef u32 low = 0, high = v.n_extra, middle
    while high - low > 1:
        middle = (low + high) // 2
        if v.callers[middle] <= function:
            low = middle
        else:
            high = middle
    return low


cdef void expand(Search *s, u32 at) noexcept nogil:
    """Find the calls of a node, by the callees' names."""
    cdef const View *v = s.view
    cdef u32 function = s.nodes[at].function
    cdef u8 how = v.how[function]
    cdef u32 i = 0, end = 0, x = 0, x_end = 0, place
    cdef i32 again = 0, kept
    cdef i64 order
    s.nodes[at].first = s.n_calls
    s.nodes[at].at = s.n_calls
    if not how & FOLLOWED:
        return
    if function < v.n_table:
        i, end = v.rows[function], v.rows[function + 1]
    if how & EXTRA:
        place = place_of(v, function)
        x, x_end = v.extra_rows[place], v.extra_rows[place + 1]
        again = v.again[place]
    while i < end or x < x_end:
        if x < x_end and (i == end or v.extra_order[x] < (<i64> v.callees[i]) << 8):
            if v.extra_kept[x] >= 0:
                add_call(s, at, v.extra_callees[x], v.extra_kept[x] + again, v.extra_begins[x])
            x += 1
        elif x < x_end and v.extra_order[x] == (<i64> v.callees[i]) << 8:
            kept = v.extra_kept[x]
            if not v.cut[i] and v.kept[i] > kept:
                kept = v.kept[i]
            if kept >= 0:
                add_call(s, at, v.callees[i], kept + again, v.extra_begins[x])
            i += 1
            x += 1
        else:
            if not v.cut[i]:
                add_call(s, at, v.callees[i], v.kept[i] + again, 0)
            i += 1
    s.nodes[at].count = s.n_calls - s.nodes[at].first
