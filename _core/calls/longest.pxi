# Longest paths, group by group of functions that call each other (Tarjan's algorithm: callees come
# first); inside a group, over its simple paths. Of equal paths the first by name is taken.


cdef inline bint push(u32 **where, u32 *n, u32 *most, u32 value) noexcept nogil:
    if n[0] == most[0] and not grow(<void **> where, most, sizeof(u32)):
        return False
    where[0][n[0]] = value
    n[0] += 1
    return True


cdef inline i64 end_of(Search *s, u32 at) noexcept nogil:
    """What a path that ends here counts; -1: it cannot."""
    return s.view.ends[s.nodes[at].function] if s.goal < 0 else -1


cdef inline i64 rest_of(Search *s, i32 node) noexcept nogil:
    """Bytes of the best path from a callee of another group."""
    return 0 if node == TO_GOAL else s.nodes[node].best


cdef i32 cell(Search *s, u32 call, i32 rest) noexcept nogil:
    """A list that begins with a call; its number, or -1 for the empty one."""
    if s.n_cells == s.most_cells:
        if not grow(<void **> &s.cells, &s.most_cells, sizeof(Cell)):
            s.no_memory = True
            return -1
    s.cells[s.n_cells].call = call
    s.cells[s.n_cells].rest = rest
    s.n_cells += 1
    return s.n_cells - 1


cdef i64 leaving(Search *s, u32 at, i32 *call) noexcept nogil:
    """Best bytes from a node that calls no other of its group; `call`: the one made, -1: none."""
    cdef i64 best = end_of(s, at), rest
    cdef u32 i
    cdef i32 node
    call[0] = -1
    for i in range(s.nodes[at].first, s.nodes[at].first + s.nodes[at].count):
        node = s.calls[i].node
        if node >= 0 and s.nodes[node].group == s.nodes[at].group:
            continue
        rest = rest_of(s, node)
        if rest >= 0 and rest + s.calls[i].kept > best:
            best = rest + s.calls[i].kept
            call[0] = i
    return best


cdef i64 within(Search *s, u32 at, u32 nesting, i32 *path) noexcept nogil:
    """Best bytes from a node whose callers on the way are `entered`; `path`: its calls."""
    cdef i32 call, node, after
    cdef i64 best = leaving(s, at, &call), rest
    cdef u32 i
    path[0] = -1
    s.left = -1 if nesting > MOST_NESTING else s.left - 1
    if s.left < 0 or s.no_memory:
        return -1
    if call >= 0:
        path[0] = cell(s, call, -1)
    s.nodes[at].entered = 1
    for i in range(s.nodes[at].first, s.nodes[at].first + s.nodes[at].count):
        node = s.calls[i].node
        if node < 0 or s.nodes[node].group != s.nodes[at].group or s.nodes[node].entered:
            continue
        rest = within(s, node, nesting + 1, &after)
        if rest >= 0 and rest + s.calls[i].kept > best:
            best = rest + s.calls[i].kept
            path[0] = cell(s, i, after)
    s.nodes[at].entered = 0
    return best


cdef void settle(Search *s, u32 at, i32 path) noexcept nogil:
    """Write the best path's calls down, as far as its last one inside the group or out of it."""
    cdef i32 last = TO_GOAL
    s.nodes[at].steps = s.n_steps
    s.nodes[at].stays = path < 0
    while path >= 0 and not s.no_memory:
        last = s.calls[s.cells[path].call].node
        s.no_memory |= not push(&s.steps, &s.n_steps, &s.most_steps, s.cells[path].call)
        s.nodes[at].stays = last >= 0 and s.nodes[last].group == s.nodes[at].group
        path = s.cells[path].rest
    s.nodes[at].n_steps = s.n_steps - s.nodes[at].steps


cdef void close_group(Search *s, u32 root) noexcept nogil:
    """The best path from every node of a group whose callees are known."""
    cdef u32 i, at
    cdef i32 path
    s.knot = s.n_stack
    s.group += 1
    while True:
        s.knot -= 1
        s.nodes[s.stack[s.knot]].group = s.group
        if s.stack[s.knot] == root:
            break
    for i in range(s.knot, s.n_stack):
        at = s.stack[i]
        s.n_cells = 0
        s.left = MOST_STEPS
        s.nodes[at].best = within(s, at, 0, &path)
        s.tangled = s.left < 0
        if s.tangled or s.no_memory:
            return
        settle(s, at, path)
    s.n_stack = s.knot


cdef inline bint enter(Search *s, u32 at) noexcept nogil:
    s.number += 1
    s.nodes[at].number = s.nodes[at].low = s.number
    expand(s, at)
    return (push(&s.stack, &s.n_stack, &s.most_stack, at)
            and push(&s.way, &s.n_way, &s.most_way, at) and not s.no_memory)


cdef bint begin_at(Search *s, u32 start, u64 states) noexcept nogil:
    """Set out from a function; False: there is no memory."""
    cdef i32 node = node_of(s, start, states)
    return node >= 0 and enter(s, node)


cdef int search(Search *s) noexcept nogil:
    """Go on until the best path from the first node is known, or a group is tangled."""
    cdef u32 at, up
    cdef i32 node
    while s.n_way:
        at = s.way[s.n_way - 1]
        if s.nodes[at].at < s.nodes[at].first + s.nodes[at].count:
            node = s.calls[s.nodes[at].at].node
            s.nodes[at].at += 1
            if node < 0:
                continue
            if s.nodes[node].number == 0:
                if not enter(s, node):
                    return NO_MEMORY
            elif s.nodes[node].group == 0 and s.nodes[node].number < s.nodes[at].low:
                s.nodes[at].low = s.nodes[node].number
            continue
        s.n_way -= 1
        if s.nodes[at].low == s.nodes[at].number:
            close_group(s, at)
            if s.no_memory:
                return NO_MEMORY
            if s.tangled:
                return TANGLED
        elif s.n_way:
            up = s.way[s.n_way - 1]
            if s.nodes[at].low < s.nodes[up].low:
                s.nodes[up].low = s.nodes[at].low
    return FOUND


cdef bint reach(Search *s, u32 start) noexcept nogil:
    """Whether a path leads from `start` to the goal."""
    cdef u32 at = 0, i
    node_of(s, start, 0)
    while at < s.n_nodes and not s.no_memory:
        s.n_calls = 0
        expand(s, at)
        for i in range(s.n_calls):
            if s.calls[i].node == TO_GOAL:
                return True
        at += 1
    return False
