# What an instruction does to values (ops), and its record; `INSTRUCTION` in `_types.pyx` is it for
# numpy.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    OTHER = 0  # clears the registers of `clob`
    MOV = 1
    LEA = 2
    LOAD = 3
    STORE = 4
    STOREI = 5  # an immediate to memory
    MOVI = 6
    ADDI = 7
    ADDR = 8
    ADDM = 9
    CMOV = 10
    CMOVM = 11
    XCHG = 12
    XCHGM = 13
    PUSH = 14
    POP = 15
    CALL = 16
    CALLR = 17
    CALLM = 18
    JMP = 19
    JCC = 20
    JMPR = 21
    JMPM = 22
    RET = 23
    STOP = 24
    LEAVE = 25
    KEEP = 26  # bits set or cleared in a pointer
    CLEAR = 27  # four bytes to memory
    CMPXCHG = 28

cdef packed struct Ins:
    int64_t at
    int64_t disp
    int64_t imm  # an immediate, or a target's address
    int32_t to  # the instruction that a branch leads to, the function that a call enters; or -1
    uint16_t clob
    uint8_t op
    int8_t dst
    int8_t src
    int8_t base
    int8_t index
    uint8_t gs
    uint8_t length
    uint8_t head  # 1: jumps lead here; 2: control may go from here to `alt` as well
    uint16_t spare
