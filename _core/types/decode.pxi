# x86_64 machine code to what a value can do: one record per instruction. Lengths after the Intel
# manual, volume 2, appendix A; a test compares every length, register and displacement with iced's.


cdef int _imm_one(int op, bint wide) noexcept nogil:
    """Bytes of the immediate of a one-byte opcode; -1: none and no ModRM rule of interest."""
    if op < 0x40:
        return 1 if op & 7 == 4 else 4 if op & 7 == 5 else 0
    if op in (0x6A, 0x6B, 0x80, 0x82, 0x83, 0xA8, 0xC0, 0xC1, 0xC6, 0xCD, 0xEB):
        return 1
    if op in (0x68, 0x69, 0x81, 0xA9, 0xC7, 0xE8, 0xE9):
        return 4
    if 0x70 <= op <= 0x7F or 0xB0 <= op <= 0xB7 or 0xE0 <= op <= 0xE7:
        return 1
    if 0xA0 <= op <= 0xA3:
        return 8
    if 0xB8 <= op <= 0xBF:
        return 8 if wide else 4
    if op == 0xC2 or op == 0xCA:
        return 2
    return 3 if op == 0xC8 else 0


cdef bint _modrm_one(int op) noexcept nogil:
    """Whether a one-byte opcode has a ModRM byte."""
    if op < 0x40:
        return op & 7 < 4
    return (op == 0x63 or op == 0x69 or op == 0x6B or 0x80 <= op <= 0x8F or op == 0xC0
            or op == 0xC1 or op == 0xC6 or op == 0xC7 or 0xD0 <= op <= 0xD3
            or 0xD8 <= op <= 0xDF or op == 0xF6 or op == 0xF7 or op == 0xFE or op == 0xFF)


cdef bint _modrm_two(int op) noexcept nogil:
    """Whether an opcode behind 0F has a ModRM byte."""
    if op in (0x05, 0x06, 0x07, 0x08, 0x09, 0x0B, 0x0E, 0x77, 0xA0, 0xA1, 0xA2, 0xA8, 0xA9, 0xAA):
        return False
    return not (0x30 <= op <= 0x37 or 0x80 <= op <= 0x8F or 0xC8 <= op <= 0xCF)


cdef bint _imm_two(int op) noexcept nogil:
    """Whether an opcode behind 0F has an immediate byte."""
    return (0x70 <= op <= 0x73 or op == 0xA4 or op == 0xAC or op == 0xBA or op == 0xC2
            or op == 0xC4 or op == 0xC5 or op == 0xC6)


cdef int64_t _signed(const uint8_t *p, int size) noexcept nogil:
    if size == 1:
        return <int8_t> p[0]
    if size == 2:
        return <int16_t> (p[0] | p[1] << 8)
    if size == 4:
        return <int32_t> (<uint32_t> p[0] | <uint32_t> p[1] << 8 | <uint32_t> p[2] << 16
                          | <uint32_t> p[3] << 24)
    cdef uint64_t value = 0
    cdef int i
    for i in range(size):
        value |= <uint64_t> p[i] << (8 * i)
    return <int64_t> value


cdef struct Raw:  # one instruction as its bytes have it
    int op  # 0x0F00 | b behind 0F, 0x3800 and 0x3A00 for the three-byte maps, 0x10000: VEX
    int reg  # of ModRM, REX.R included
    int rm  # register, or -1: memory
    bint mem, wide, narrow, abs  # REX.W; 66; no base
    int base, index, gs, rep
    int64_t disp, imm
    int imm_size
    int third  # the register that VEX names beside


cdef int _prefixes(const uint8_t *p, int left, Raw *r, int *rex) noexcept nogil:
    cdef int i = 0, b
    while i < left and i < 14:
        b = p[i]
        if b == 0x66:
            r.narrow = True
        elif b == 0x65:
            r.gs = 1
        elif b == 0x64:
            r.gs = 2
        elif b == 0xF2 or b == 0xF3:
            r.rep = b
        elif not (b == 0xF0 or b == 0x2E or b == 0x36 or b == 0x3E or b == 0x26 or b == 0x67):
            break
        i += 1
    if i < left and p[i] & 0xF0 == 0x40:
        rex[0] = p[i]
        i += 1
    return i


cdef int _modrm(const uint8_t *p, int i, int left, int rex, Raw *r) noexcept nogil:
    """Behind ModRM, SIB and displacement; -1: the bytes end."""
    if i >= left:
        return -1
    cdef int m = p[i], mod, low, sib, size = 0
    i += 1
    mod, low = m >> 6, m & 7
    r.reg = (m >> 3 & 7) | (rex & 4) << 1
    if mod == 3:
        r.rm = low | (rex & 1) << 3
        return i
    r.mem, r.base = True, low | (rex & 1) << 3
    if low == 4:
        if i >= left:
            return -1
        sib = p[i]
        i += 1
        r.base = (sib & 7) | (rex & 1) << 3
        r.index = (sib >> 3 & 7) | (rex & 2) << 2
        if r.index == 4:
            r.index = -1
        if sib & 7 == 5 and mod == 0:
            r.base, size, r.abs = -1, 4, True
    elif low == 5 and mod == 0:
        r.base, size, r.abs = 16, 4, True  # rip
    if mod == 1:
        size = 1
    elif mod == 2:
        size = 4
    if i + size > left:
        return -1
    if size:
        r.disp = _signed(p + i, size)
    return i + size


cdef int _vex(const uint8_t *p, int i, int left, Raw *r) noexcept nogil:
    """VEX and EVEX: their length, and which registers they may write."""
    cdef int b = p[i], opcode, table = 1, rex = 0
    i += 1
    if i >= left:
        return -1
    if b == 0xC5:
        r.third = ~p[i] >> 3 & 15
        i += 1
    elif b == 0xC4:
        if i + 1 >= left:
            return -1
        table, rex, r.third = p[i] & 31, (~p[i] >> 5) & 7, ~p[i + 1] >> 3 & 15
        i += 2
    else:
        if i + 2 >= left:
            return -1
        table, rex, r.third = p[i] & 7, (~p[i] >> 5) & 7, ~p[i + 1] >> 3 & 15
        i += 3
    if i >= left:
        return -1
    opcode = p[i]
    i += 1
    r.op = 0x10000
    if table == 1 and opcode == 0x77:
        return i
    i = _modrm(p, i, left, rex, r)
    if i < 0:
        return -1
    if table == 3 or (table == 1 and _imm_two(opcode) and opcode != 0xA4 and opcode != 0xAC
                      and opcode != 0xBA):
        i += 1
    return i


cdef int _read(const uint8_t *p, int left, Raw *r) noexcept nogil:
    """One instruction; its length, or 0: the bytes end or are none."""
    cdef int rex = 0, i, op
    memset(r, 0, sizeof(Raw))
    r.rm = r.base = r.index = -1
    i = _prefixes(p, left, r, &rex)
    if i >= left:
        return 0
    r.wide = rex & 8 != 0
    op = p[i]
    if op == 0xC4 or op == 0xC5 or op == 0x62:
        i = _vex(p, i, left, r)
        return i if 0 < i <= left else 0
    i += 1
    cdef bint modrm
    if op == 0x0F:
        if i >= left:
            return 0
        op = p[i]
        i += 1
        if op == 0x38 or op == 0x3A:
            if i >= left:
                return 0
            r.op, r.imm_size = op << 8 | p[i], int(op == 0x3A)
            i, modrm = i + 1, True
        else:
            r.op, modrm = 0x0F00 | op, _modrm_two(op)
            r.imm_size = 4 if 0x80 <= op <= 0x8F else int(_imm_two(op))
    else:
        r.op, modrm = op, _modrm_one(op)
        r.imm_size = _imm_one(op, r.wide)
        if r.imm_size == 4 and r.narrow and not r.wide and op not in (0xE8, 0xE9):
            r.imm_size = 2
    if modrm:
        i = _modrm(p, i, left, rex, r)
        if i < 0:
            return 0
        if (r.op == 0xF6 or r.op == 0xF7) and r.reg & 6 == 0:
            r.imm_size = 1 if r.op == 0xF6 else 2 if r.narrow and not r.wide else 4
    elif r.op < 0x100:  # the register is in the opcode
        r.rm = (op & 7) | (rex & 1) << 3
    else:
        r.rm = (r.op & 7) | (rex & 1) << 3
    if i + r.imm_size > left:
        return 0
    if r.imm_size and r.imm_size != 3:
        r.imm = _signed(p + i, r.imm_size)
    return i + r.imm_size


cdef inline void _memory(const Raw *r, int64_t end, Ins *o) noexcept nogil:
    o.base, o.index, o.gs, o.disp = r.base, r.index, r.gs, r.disp
    if r.base == 16:  # relative to the next instruction
        o.base, o.disp = -1, r.disp + end


cdef inline void _writes(Ins *o, int reg) noexcept nogil:
    if reg >= 0:
        o.clob |= 1 << reg


cdef void _group_ff(const Raw *r, Ins *o) noexcept nogil:
    cdef int which = r.reg & 7
    if which == 2 or which == 4:
        o.op = (CALLM if which == 2 else JMPM) if r.mem else (CALLR if which == 2 else JMPR)
        o.src = r.rm
    elif which == 6:
        o.op, o.src = PUSH, -1
    elif not r.mem:
        o.op, o.dst, o.imm = ADDI, r.rm, 1 if which == 0 else -1
        if not r.wide:
            o.op = OTHER
            _writes(o, r.rm)


cdef void _alu(const Raw *r, Ins *o) noexcept nogil:
    """ADD, OR, ADC, SBB, AND, SUB, XOR, CMP in their six forms."""
    cdef int which = r.op >> 3 & 7, form = r.op & 7
    cdef int target = r.rm if form < 2 else r.reg if form < 4 else 0
    if which == 7 or (form < 2 and r.mem):
        return
    if form & 1 == 0 or not r.wide:
        _writes(o, target)
        return
    if form == 5:
        _immediate(which, 0, r.imm, o)
    elif which == 0:
        o.dst = target
        o.op = ADDM if r.mem else ADDR
        o.src = -1 if r.mem else r.reg if form == 1 else r.rm
    elif which == 5:
        o.op, o.dst = KEEP, target
        if not r.mem and r.reg == r.rm:
            o.op = OTHER
            _writes(o, target)
    elif which == 1 or which == 4:
        o.op, o.dst = KEEP, target
    else:
        _writes(o, target)


cdef void _immediate(int which, int target, int64_t imm, Ins *o) noexcept nogil:
    o.dst = target
    if which == 0 or which == 5:
        o.op, o.imm = ADDI, imm if which == 0 else -imm
    elif which == 1 or which == 4:
        o.op, o.imm = KEEP if which == 1 or imm < 0 else OTHER, imm
        if o.op == OTHER:
            _writes(o, target)
    elif which != 7:
        _writes(o, target)


cdef void _one(const Raw *r, Ins *o, int64_t end) noexcept nogil:
    """One-byte opcodes."""
    cdef int op = r.op, which
    if op < 0x40:
        _alu(r, o)
    elif 0x50 <= op <= 0x5F:
        o.op = PUSH if op < 0x58 else POP
        o.src = o.dst = r.rm
    elif op == 0x68 or op == 0x6A:
        o.op, o.src, o.imm = PUSH, -1, r.imm
    elif op == 0x63:
        _writes(o, r.reg)
    elif op == 0x69 or op == 0x6B:
        _writes(o, r.reg)
    elif 0x70 <= op <= 0x7F or 0xE0 <= op <= 0xE3:
        o.op, o.imm = JCC, end + r.imm
    elif 0x80 <= op <= 0x83:
        which = r.reg & 7
        if not r.mem and which != 7:
            if r.wide:
                _immediate(which, r.rm, r.imm, o)
            else:
                _writes(o, r.rm)
    elif op == 0x86 or op == 0x87:
        _exchange(r, o)
    elif op == 0x88 or op == 0x8A:
        if not r.mem:
            _writes(o, r.rm if op == 0x88 else r.reg)
        elif op == 0x8A:
            _writes(o, r.reg)
    elif op == 0x89 or op == 0x8B:
        _move(r, o)
    elif op == 0x8C and not r.mem:
        _writes(o, r.rm)
    elif op == 0x8D:
        o.op, o.dst = LEA, r.reg
        if not r.wide:
            o.op = OTHER
            _writes(o, r.reg)
    elif op == 0x8F:
        o.op, o.dst = POP, r.rm
    else:
        _one_more(r, o, end)


cdef void _one_more(const Raw *r, Ins *o, int64_t end) noexcept nogil:
    cdef int op = r.op, which
    if 0x91 <= op <= 0x97 or (op == 0x90 and r.rm == 8):
        o.op, o.dst, o.src = XCHG, 0, r.rm
    elif op == 0x98 or op == 0xAC or op == 0xAD or op == 0xE4 or op == 0xE5:
        _writes(o, 0)
    elif op == 0xEC or op == 0xED:
        _writes(o, 0)
    elif op == 0x99:
        _writes(o, 2)
    elif op == 0x9C:
        o.op, o.src = PUSH, -1
    elif op == 0x9D:
        o.op, o.dst = POP, -1
    elif op in (0xA4, 0xA5, 0xA6, 0xA7, 0x6C, 0x6D, 0x6E, 0x6F):
        o.clob |= 1 << 1 | 1 << 6 | 1 << 7
    elif op in (0xAA, 0xAB, 0xAE, 0xAF):
        o.clob |= 1 << 1 | 1 << 7
    elif op == 0xA0 or op == 0xA1:
        _writes(o, 0)
    elif 0xB0 <= op <= 0xB7:
        _writes(o, r.rm)
    elif 0xB8 <= op <= 0xBF:
        o.op, o.dst, o.imm = MOVI, r.rm, r.imm
        if not r.wide:  # no address of a kernel
            o.op = OTHER
            _writes(o, r.rm)
    elif op == 0xC0 or op == 0xC1 or 0xD0 <= op <= 0xD3:
        if not r.mem:
            _writes(o, r.rm)
    elif op == 0xC2 or op == 0xC3 or op == 0xCA or op == 0xCB or op == 0xCF:
        o.op = RET
    elif op == 0xC7 and r.wide:
        o.op, o.dst, o.imm = STOREI if r.mem else MOVI, r.rm, r.imm
    elif op == 0xC6 or op == 0xC7:
        if not r.mem:
            _writes(o, r.rm)
        elif op == 0xC7 and not r.narrow:
            o.op = CLEAR
    elif op == 0xC9:
        o.op = LEAVE
    elif op == 0xCC or op == 0xF4:
        o.op = STOP
    elif op == 0xE8:
        o.op, o.imm = CALL, end + r.imm
    elif op == 0xE9 or op == 0xEB:
        o.op, o.imm = JMP, end + r.imm
    elif op == 0xF6 or op == 0xF7:
        which = r.reg & 7
        if which >= 4:
            o.clob |= 1 << 0 | 1 << 2
        elif which >= 2 and not r.mem:
            _writes(o, r.rm)
    elif op == 0xFE and not r.mem:
        _writes(o, r.rm)
    elif op == 0xFF:
        _group_ff(r, o)


cdef void _move(const Raw *r, Ins *o) noexcept nogil:
    cdef int target = r.rm if r.op == 0x89 else r.reg
    if r.mem and r.op == 0x89:
        o.op, o.src = STORE if r.wide else CLEAR, r.reg
        if r.narrow:
            o.op = OTHER
    elif not r.wide:
        _writes(o, target)
    elif r.mem:
        o.op, o.dst = LOAD, target
    else:
        o.op, o.dst, o.src = MOV, target, r.reg if r.op == 0x89 else r.rm


cdef void _exchange(const Raw *r, Ins *o) noexcept nogil:
    if not r.wide or r.op == 0x86:
        _writes(o, r.reg)
        _writes(o, r.rm)
    else:
        o.op, o.dst, o.src = XCHGM if r.mem else XCHG, r.reg, r.reg if r.mem else r.rm


cdef void _two(const Raw *r, Ins *o, int64_t end) noexcept nogil:
    """Opcodes behind 0F."""
    cdef int op = r.op & 0xFF
    if 0x80 <= op <= 0x8F:
        o.op, o.imm = JCC, end + r.imm
    elif op == 0x0B or op == 0xB9 or op == 0xFF:
        o.op = STOP
        o.imm = int(op == 0x0B)
    elif op == 0x07 or op == 0x35:
        o.op = STOP
    elif op == 0x05:
        o.clob |= 1 << 1 | 1 << 11
    elif op == 0x20 or op == 0x21:
        _writes(o, r.rm)
    elif op in (0x31, 0x32, 0x33, 0x01):
        if op != 0x01:
            o.clob |= 1 << 0 | 1 << 2
        elif not r.mem:
            o.clob |= 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3
    elif 0x40 <= op <= 0x4F:
        o.dst, o.src = r.reg, r.rm
        o.op = (CMOVM if r.mem else CMOV) if r.wide else OTHER
        if not r.wide:
            _writes(o, r.reg)
    elif 0x90 <= op <= 0x9F:
        _writes(o, r.rm)
    elif op == 0xA0 or op == 0xA8:
        o.op, o.src = PUSH, -1
    elif op == 0xA1 or op == 0xA9:
        o.op, o.dst = POP, -1
    elif op == 0xA2:
        o.clob |= 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3
    elif op == 0xA4 or op == 0xA5 or op == 0xAC or op == 0xAD or op == 0xAB or op == 0xB3:
        _writes(o, r.rm)
    elif op == 0xBB or (op == 0xBA and r.reg & 7 > 4):
        _writes(o, r.rm)
    elif op == 0xB0 or op == 0xB1:
        _writes(o, 0)
        _writes(o, r.rm)
        if op == 0xB1 and r.mem and r.wide:
            o.op, o.src = CMPXCHG, r.reg
    elif op == 0xC0 or op == 0xC1:
        _writes(o, r.reg)
        _writes(o, r.rm)
    elif op == 0xC7 and r.reg & 7 == 1:
        o.clob |= 1 << 0 | 1 << 2
    elif op == 0xC7 and not r.mem:
        _writes(o, r.rm)
    elif op in (0x02, 0x03, 0xAF, 0xB6, 0xB7, 0xB8, 0xBC, 0xBD, 0xBE, 0xBF, 0x50, 0xD7, 0x2C, 0x2D):
        _writes(o, r.reg)
    elif 0xC8 <= op <= 0xCF:
        _writes(o, r.rm)
    elif op == 0x7E and not r.mem and not r.rep:
        _writes(o, r.rm)
    elif op == 0x00 and not r.mem and r.reg & 7 < 2:
        _writes(o, r.rm)


cdef void _meaning(const Raw *r, int64_t at, int length, Ins *o) noexcept nogil:
    memset(o, 0, sizeof(Ins))
    o.at, o.length = at, length
    o.dst = o.src = o.base = o.index = -1
    if r.mem:
        _memory(r, at + length, o)
    if r.op < 0x100:
        _one(r, o, at + length)
    elif r.op < 0x1000:
        _two(r, o, at + length)
    elif 0x38F0 <= r.op <= 0x38F1 and (r.op == 0x38F0 or r.rep == 0xF2):
        _writes(o, r.reg)  # MOVBE, CRC32
    elif r.op == 0x10000:  # some are of general registers: MOVD, and BMI
        _writes(o, r.reg)
        _writes(o, r.rm)
        _writes(o, r.third)
    elif r.op in (0x3A14, 0x3A15, 0x3A16, 0x3A17) and not r.mem:
        _writes(o, r.rm)


def decode(const uint8_t[::1] code, int64_t at):
    """Machine code to records.

    Parameters
    ----------
    code : bytes
    at : int
        Address of the first byte, as a signed number.

    Returns
    -------
    ndarray of INSTRUCTION
        A byte that begins no instruction is passed over as a stop; padding is one stop.
    """
    cdef Py_ssize_t left = code.shape[0], i = 0, n = 0, room = left // 3 + 16
    out = np.zeros(room, INSTRUCTION)
    cdef Ins[::1] rows = out
    cdef Raw raw
    cdef int length
    while i < left:
        if n == room:
            room = room + left // 3 + 16
            out = np.concatenate([out, np.zeros(room - n, INSTRUCTION)])
            rows = out
        length = _read(&code[i], <int> min(left - i, 15), &raw)
        if length == 0:
            raw.op, length, raw.mem = 0xCC, 1, False
        _meaning(&raw, at + i, length, &rows[n])
        i += length
        n += 1
        while raw.op == 0xCC and i < left and code[i] == 0xCC:  # padding
            i += 1
    return out[:n]
