# Abstract interpretation of one function: a set number in each register and stack slot. Sets only
# grow where paths join, and are small, so that it ends.

cdef enum:
    SLOTS = 192  # of eight bytes: deeper ones are not followed
    SP = 4
    ASK_LOAD = 1
    ASK_ADD = 2
    ASK_JOIN = 3
    ASK_CONST = 4
    ASK_STORE = 5
    ASK_ARG = 6
    ASK_BEHIND = 7
    ASK_RESULT = 8
    ASK_PERCPU = 9
    ASK_FRESH = 10
    ASK_ANY = 11
    ASK_PASSED = 12
    HAS_CODE = 1  # a set with a constant address or a function that was loaded
    ON_STACK = 2  # a set that is one place of the stack
    SEVERAL = 4  # a set of several functions that were loaded
    ARGS = 6  # in registers
    ALL_ARGS = 1 << 15
    TOGETHER = 1 << 14  # a function and its data in one call
    MOST_ARGS = 10
    ENTRY = 64  # depth of the return address: arguments on the stack lie above it

#: di, si, dx, cx, r8, r9
cdef int[6] ARG_REGS
ARG_REGS[:] = [7, 6, 2, 1, 8, 9]
cdef int LOST = 1 << 20  # depth of the stack pointer where it is not known
cdef int CALLER_SAVED = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 0xF << 8


cdef struct State:
    int32_t reg[16]
    int32_t sp
    int32_t slot[SLOTS]


cdef class Walker:
    """Follows sets of atoms through functions.

    Parameters
    ----------
    rules : object
        ``load(set, displacement)``, ``add(set, number)``, ``join(set, set)``, ``const(address)``,
        ``store(set, displacement, set)``, ``arg(function, i, set)``,
        ``behind(function, i, offset, set)``: what lies on the stack where an argument points;
        ``result(set)`` of a call through a pointer; ``percpu(displacement)``;
        ``fresh(function, instruction)``: what a direct call returns whose result is -1. Each gives
        a set's number; 0 is the empty set. An answer is asked for once.
    """

    cdef object rules
    cdef public Memo memo
    cdef uint8_t *flags
    cdef int32_t *places
    cdef Py_ssize_t sets
    cdef State *pool
    cdef Py_ssize_t pooled, pool_room
    cdef int32_t *heads  # instruction -> state of this function + 1
    cdef int32_t *stamps  # of which function `heads` speaks
    cdef int32_t *seen
    cdef int32_t *todo
    cdef Py_ssize_t waiting, todo_room
    cdef Ins *ins
    cdef Py_ssize_t n
    cdef int32_t epoch
    cdef State now
    cdef int32_t[::1] results, found
    cdef uint16_t[::1] wants
    cdef int32_t returned

    def __cinit__(self, rules):
        self.rules = rules
        self.memo = Memo()
        self.flags = NULL
        self.places = NULL
        self.pool = NULL
        self.heads = self.stamps = self.seen = self.todo = NULL
        self.sets = self.pool_room = self.todo_room = 0

    def __dealloc__(self):
        free(self.flags)
        free(self.places)
        free(self.pool)
        free(self.heads)
        free(self.stamps)
        free(self.seen)
        free(self.todo)

    def note(self, Py_ssize_t number, int flags, int place):
        """What a new set is: `HAS_CODE`, `ON_STACK` and where."""
        if number >= self.sets:
            self.sets = 2 * number + 1024
            self.flags = <uint8_t *> realloc(self.flags, self.sets)
            self.places = <int32_t *> realloc(self.places, 4 * self.sets)
            if self.flags == NULL or self.places == NULL:
                raise MemoryError()
        self.flags[number], self.places[number] = flags, place

    def run(self, rows, int32_t[:, ::1] ranges, int32_t[:, ::1] entries, int32_t[::1] results,
            uint16_t[::1] wants, int32_t[::1] found, int32_t[::1] returned):
        """Every function once.

        Parameters
        ----------
        rows : ndarray of INSTRUCTION
            Of one image.
        ranges : (n, 2)
            First and last instruction, exclusive, of each function.
        entries : (n, 10)
            What its arguments are.
        results : (functions,)
            What a direct call returns, by the number of the function.
        wants : (functions,)
            Which arguments are to be told, as bits; `ALL_ARGS`: all; `TOGETHER`: all at once, too.
        found : (instructions,)
            Set that each pointer call calls; written.
        returned : (n,)
            What each function returns; written.
        """
        cdef Ins[::1] view = rows
        cdef Py_ssize_t i
        self.n = view.shape[0]
        if not self.n:
            return
        self.ins, self.results, self.wants, self.found = &view[0], results, wants, found
        free(self.heads)
        free(self.stamps)
        free(self.seen)
        self.heads = <int32_t *> calloc(self.n + 1, 4)
        self.stamps = <int32_t *> calloc(self.n + 1, 4)
        self.seen = <int32_t *> calloc(self.n + 1, 4)
        if self.heads == NULL or self.stamps == NULL or self.seen == NULL:
            raise MemoryError()
        self.epoch = 0
        for i in range(ranges.shape[0]):
            self._function(ranges[i, 0], ranges[i, 1], &entries[i, 0])
            returned[i] = self.returned

    cdef int _function(self, int first, int last, int32_t *entry) except -1:
        cdef int i
        self.epoch += 1
        self.pooled, self.waiting, self.returned = 0, 0, 0
        memset(&self.now, 0, sizeof(State))
        for i in range(ARGS):
            self.now.reg[ARG_REGS[i]] = entry[i]
        for i in range(ARGS, MOST_ARGS):
            self.now.slot[ENTRY / 8 + ARGS - 1 - i] = entry[i]
        self.now.sp = ENTRY
        self._straight(first)
        self._drain()
        for i in range(first, last):  # through a jump table, or behind a call that may return
            if self.seen[i] != self.epoch and not (
                    self.ins[i].op == STOP or (self.ins[i].op == OTHER and not self.ins[i].clob)):
                memset(&self.now, 0, sizeof(State))
                self.now.sp = LOST
                self._straight(i)
                self._drain()
        return 0

    cdef int _drain(self) except -1:
        cdef int i
        while self.waiting:
            self.waiting -= 1
            i = self.todo[self.waiting]
            self.now = self.pool[self.heads[i] - 1]
            self._straight(i)
        return 0

    cdef int _meet(self, int i, bint wait) except -1:
        """The state comes to a head; 1: it brought something new."""
        cdef int at = self.heads[i] - 1, k, changed = 0
        cdef State *old
        if self.stamps[i] != self.epoch:
            if self.pooled == self.pool_room:
                self.pool_room = 2 * self.pool_room + 64
                self.pool = <State *> realloc(self.pool, self.pool_room * sizeof(State))
                if self.pool == NULL:
                    raise MemoryError()
            self.pool[self.pooled] = self.now
            self.pooled += 1
            self.heads[i] = <int32_t> self.pooled
            self.stamps[i] = self.epoch
            changed = 1
        else:
            old = &self.pool[at]
            for k in range(16):
                if self.now.reg[k] != old.reg[k] and self.now.reg[k]:
                    changed |= self._join(&old.reg[k], self.now.reg[k])
            if old.sp == LOST and self.now.sp != LOST:
                old.sp, changed = self.now.sp, 1
            if self.now.sp != LOST:
                for k in range(SLOTS):
                    if self.now.slot[k] != old.slot[k] and self.now.slot[k]:
                        changed |= self._join(&old.slot[k], self.now.slot[k])
        if changed and wait:
            if self.waiting == self.todo_room:
                self.todo_room = 2 * self.todo_room + 256
                self.todo = <int32_t *> realloc(self.todo, 4 * self.todo_room)
                if self.todo == NULL:
                    raise MemoryError()
            self.todo[self.waiting] = i
            self.waiting += 1
        return changed

    cdef int _join(self, int32_t *into, int32_t more) except -1:
        cdef int32_t both = more
        if into[0]:
            both = self._ask2(ASK_JOIN, into[0], more, 0)
        if both == into[0]:
            return 0
        into[0] = both
        return 1

    cdef int32_t _ask(self, int what, int32_t a, int64_t number) except -1:
        return self._ask2(what, a, 0, number)

    cdef int32_t _ask2(self, int what, int32_t a, int32_t b, int64_t number) except -1:
        cdef uint64_t key = <uint64_t> what << 60 | <uint64_t> <uint32_t> a << 28 | <uint32_t> b
        cdef Py_ssize_t at = self.memo._at(key, number)
        if self.memo.keys[at]:
            return self.memo.values[at]
        cdef int32_t answer = 0
        rules = self.rules
        if what == ASK_LOAD:
            answer = rules.load(a, number)
        elif what == ASK_ADD:
            answer = rules.add(a, number)
        elif what == ASK_JOIN:
            answer = rules.join(a, b)
        elif what == ASK_CONST:
            answer = rules.const(number)
        elif what == ASK_STORE:
            rules.store(a, number, b)
        elif what == ASK_ARG:
            rules.arg(a, number, b)
        elif what == ASK_BEHIND:
            rules.behind(a, number & 7, number >> 3, b)
        elif what == ASK_RESULT:
            answer = rules.result(a)
        elif what == ASK_PERCPU:
            answer = rules.percpu(number)
        elif what == ASK_ANY:
            answer = rules.any(a, number)
        elif what == ASK_PASSED:
            rules.passed(a, number, b)
        else:
            answer = rules.fresh(a, number)
        self.memo.put(key, number, answer)
        return answer

    cdef inline int _slot(self, int64_t depth) noexcept nogil:
        """The stack slot at a depth, or -1."""
        if depth & 7 or depth < 0 or depth >= 8 * SLOTS:
            return -1
        return <int> (depth >> 3)

    cdef int32_t _address(self, const Ins *o, int64_t *displacement, int *slot) except -1:
        """Set of what a memory operand's base points at; or the stack slot that it is."""
        cdef int32_t base = 0
        slot[0] = -1
        displacement[0] = o.disp
        if o.base == SP:
            if self.now.sp != LOST and o.index < 0:
                slot[0] = self._slot(self.now.sp - o.disp)
            return 0
        if o.base >= 0:
            base = self.now.reg[o.base]
        elif o.gs:
            return 0
        elif o.disp:
            displacement[0] = 0
            return self._ask(ASK_CONST, 0, o.disp)
        if not base and o.index >= 0:
            base = self.now.reg[o.index]
        if not base and (o.disp >= 1 << 16 or o.disp < -(1 << 28)):  # a table, indexed
            displacement[0] = 0
            return self._ask(ASK_CONST, 0, o.disp)
        if base and self.flags[base] & ON_STACK:
            slot[0] = self._slot(self.places[base] - o.disp)
            return 0
        return base

    cdef int32_t _read(self, const Ins *o) except -1:
        cdef int64_t displacement
        cdef int slot, what
        cdef int32_t base = self._address(o, &displacement, &slot)
        if slot >= 0:
            return self.now.slot[slot]
        if o.gs == 1 and o.base < 0:
            return self._ask(ASK_PERCPU, 0, o.disp)
        if not base:
            return 0
        what = ASK_LOAD
        if self.flags[base] & HAS_CODE and (o.index >= 0 or (o.base >= 0 and not displacement)):
            what = ASK_ANY
        return self._ask(what, base, displacement)

    cdef int _write(self, const Ins *o, int32_t value) except -1:
        cdef int64_t displacement
        cdef int slot
        cdef int32_t base = self._address(o, &displacement, &slot)
        if slot >= 0:
            self.now.slot[slot] = value
        elif base and (value or o.op == STORE):
            self._ask2(ASK_STORE, base, value, displacement)
        return 0

    cdef int _clear(self, int mask) except -1:
        cdef int k
        for k in range(16):
            if mask >> k & 1 and k != SP:
                self.now.reg[k] = 0
        return 0

    cdef int _set(self, int reg, int32_t value) except -1:
        if reg >= 0 and reg != SP:
            self.now.reg[reg] = value
        return 0

    cdef int32_t _stack_place(self, int64_t depth) except -1:
        return self.rules.place(depth) if self.now.sp != LOST else 0

    cdef int32_t _lea(self, const Ins *o) except -1:
        cdef int32_t base
        if o.base == SP:
            return self._stack_place(self.now.sp - o.disp)
        if o.base < 0:
            return self._ask(ASK_CONST, 0, o.disp)
        base = self.now.reg[o.base]
        if not base and o.index >= 0:
            base = self.now.reg[o.index]
        return self._ask(ASK_ADD, base, o.disp) if base else 0

    cdef int _call(self, int function, int at) except -1:
        """Arguments to the callee; what it returns."""
        cdef int k, wants
        cdef int32_t value
        if function >= 0:
            wants = self.wants[function]
            for k in range(MOST_ARGS):
                value = self._argument(k)
                if not value:
                    if wants >> k & 1:  # something that is not known
                        self._ask2(ASK_ARG, function, 0, k)
                    continue
                if wants >> k & 1 or wants & ALL_ARGS or self.flags[value] & HAS_CODE:
                    self._ask2(ASK_ARG, function, value, k)
                if self.flags[value] & ON_STACK:
                    self._behind(function, k, self._slot(self.places[value]))
            if wants & TOGETHER:
                self.rules.together(function, [self._argument(k) for k in range(ARGS)])
        self._clear(CALLER_SAVED)
        value = self.results[function] if function >= 0 else 0
        self.now.reg[0] = self._ask(ASK_FRESH, function, at) if value < 0 else value
        return 0

    cdef inline int32_t _argument(self, int k) noexcept nogil:
        cdef int slot
        if k < ARGS:
            return self.now.reg[ARG_REGS[k]]
        slot = self._slot(self.now.sp - 8 * (k - ARGS)) if self.now.sp != LOST else -1
        return self.now.slot[slot] if slot >= 0 else 0

    cdef int _behind(self, int function, int k, int s) except -1:
        """Pointers to code that lie on the stack where an argument points."""
        cdef int i
        for i in range(s, max(-1, s - 40), -1):
            if self.now.slot[i] and self.flags[self.now.slot[i]] & HAS_CODE:
                self._ask2(ASK_BEHIND, function, self.now.slot[i], (s - i) * 64 | k)
        return 0

    cdef int _pointer(self, int i, int32_t called) except -1:
        """A call through a pointer: kept; what it returns, if its prototype tells."""
        cdef int k
        cdef int32_t value
        if called:
            if self.flags[called] & SEVERAL:
                called = self.rules.chosen(called, [self._argument(k) for k in range(ARGS)])
            self._join(&self.found[i], called)
            for k in range(ARGS):
                value = self.now.reg[ARG_REGS[k]]
                if value and self.flags[value] & HAS_CODE:
                    self._ask2(ASK_PASSED, called, value, k)
        self._clear(CALLER_SAVED)
        self.now.reg[0] = self._ask(ASK_RESULT, called, 0) if called else 0
        return 0

    cdef int _straight(self, int i) except -1:
        """From an instruction to where control leaves or meets a head that has all this."""
        cdef Ins *o
        cdef bint first = True
        while i < self.n:
            o = &self.ins[i]
            if not first and o.head & 1:
                if not self._meet(i, False):
                    return 0
                self.now = self.pool[self.heads[i] - 1]
            first = False
            self.seen[i] = self.epoch
            if o.head & 2:
                self._meet(o.to, True)
            if o.clob:
                self._clear(o.clob)
            if o.op >= CALL and o.op <= STOP:
                if not self._control(i, o):
                    return 0
            elif o.op != OTHER:
                self._value(o)
            i += 1
        return 0

    cdef int _control(self, int i, Ins *o) except -1:
        """0: control goes no further here."""
        cdef int op = o.op
        cdef State before
        if op == CALL:
            self._call(o.to, i)
        elif op == CALLR or op == CALLM:
            self._pointer(i, self.now.reg[o.src] if op == CALLR else self._read(o))
        elif op == JCC:
            if o.head & 4:  # a conditional tail call
                before = self.now
                self._call(o.to, i)
                self._keep()
                self.now = before
            elif o.to >= 0:
                self._meet(o.to, True)
        elif op == JMP:
            if o.head & 4:
                self._call(o.to, i)
                self._keep()
            elif o.to >= 0:
                self._meet(o.to, True)
            return 0
        elif op == JMPR or op == JMPM:
            self._pointer(i, self.now.reg[o.src] if op == JMPR else self._read(o))
            return 0
        elif op == RET:
            if self.now.reg[0]:
                self._keep()
            return 0
        else:
            return int(o.imm == 1)  # ud2: a warning goes on
        return 1

    cdef int _keep(self) except -1:
        if self.now.reg[0]:
            self._join(&self.returned, self.now.reg[0])
        return 0

    cdef int _value(self, Ins *o) except -1:
        cdef int op = o.op
        cdef int32_t value
        if op == MOV:
            if o.src == SP:
                self._set(o.dst, self._stack_place(self.now.sp))
            elif o.dst == SP:
                value = self.now.reg[o.src]
                self.now.sp = self.places[value] if value and self.flags[value] & ON_STACK else LOST
            else:
                self._set(o.dst, self.now.reg[o.src])
        elif op == LEA:
            value = self._lea(o)
            if o.dst == SP:
                self.now.sp = self.places[value] if value and self.flags[value] & ON_STACK else LOST
            self._set(o.dst, value)
        elif op == LOAD:
            self._set(o.dst, self._read(o))
        elif op == STORE:
            self._write(o, 0 if o.src == SP else self.now.reg[o.src])
        elif op == STOREI:
            self._write(o, self._ask(ASK_CONST, 0, o.imm))
        elif op == CLEAR:
            self._write(o, 0)
        elif op == MOVI:
            self._set(o.dst, self._ask(ASK_CONST, 0, o.imm))
        elif op == ADDI:
            if o.dst == SP:
                if self.now.sp != LOST:
                    self.now.sp -= <int32_t> o.imm
            elif self.now.reg[o.dst]:
                self._set(o.dst, self._ask(ASK_ADD, self.now.reg[o.dst], o.imm))
        elif op == PUSH or op == POP or op == LEAVE:
            self._stack(o)
        else:
            self._mixed(o)
        return 0

    cdef int _stack(self, Ins *o) except -1:
        cdef int slot
        cdef int32_t value
        if o.op == LEAVE:
            value = self.now.reg[5]
            self.now.sp = self.places[value] if value and self.flags[value] & ON_STACK else LOST
        if self.now.sp == LOST:
            if o.op != PUSH:
                self._set(5 if o.op == LEAVE else o.dst, 0)
            return 0
        if o.op == PUSH:
            self.now.sp += 8
            slot = self._slot(self.now.sp)
            if slot >= 0:
                value = self.now.reg[o.src] if o.src >= 0 and o.src != SP else 0
                if o.imm:
                    value = self._ask(ASK_CONST, 0, o.imm)
                self.now.slot[slot] = value
        else:
            slot = self._slot(self.now.sp)
            self._set(5 if o.op == LEAVE else o.dst, self.now.slot[slot] if slot >= 0 else 0)
            self.now.sp -= 8
        return 0

    cdef int _mixed(self, Ins *o) except -1:
        """Sums, choices and exchanges."""
        cdef int op = o.op
        cdef int32_t value
        if op == ADDR or op == CMOV:
            if o.dst != SP and o.src != SP and self.now.reg[o.src]:
                self._join(&self.now.reg[o.dst], self.now.reg[o.src])
        elif op == ADDM or op == CMOVM:
            value = self._read(o)
            if o.dst != SP and value and (op == CMOVM or not self.now.reg[o.dst]):
                self._join(&self.now.reg[o.dst], value)
        elif op == XCHG:
            value = self.now.reg[o.dst]
            self._set(o.dst, self.now.reg[o.src])
            self._set(o.src, value)
        elif op == XCHGM:
            value = self._read(o)
            self._write(o, self.now.reg[o.src])
            self._set(o.dst, value)
        elif op == CMPXCHG:
            self._write(o, self.now.reg[o.src])
        return 0
