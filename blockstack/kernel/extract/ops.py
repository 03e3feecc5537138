"""What an instruction can do to the stack pointer or to the flow of control.

An event is a tuple ``(ip, op, a, b, c)``; whatever is not an event (nine instructions in
fourteen) leaves both alone and is never seen by the interpreter.
"""

Event = tuple[int, int, int, int, int]

EDGE = 0  #: control may also go to a (exception table, static key)
CALL = 1  #: a: target
CALLI = 2  #: through a pointer
JMP = 3  #: a: target
JCC = 4  #: a: target
JMPI = 5  #: a: address of a jump table or 0; b: through a register
RET = 6  #: a: bytes of arguments popped
STOP = 7  #: a: 1 = ud2, which WARN() comes back from
PUSH = 8  #: a: bytes, b: register or 0
POP = 9  #: a: bytes, b: register or 0
ADD = 10  #: a: bytes that the stack grows by (negative: shrinks)
AND = 11  #: a: alignment
MOV = 12  #: register a = register b + c; either may be the stack pointer
LEAVE = 13
DYNAMIC = 14  #: the stack grows by a register's value
SWITCH = 15  #: the stack pointer is loaded from memory
POPSP = 16  #: ... from the stack itself
LOAD = 17  #: register a = memory at register b + c
STORE = 18  #: memory at register b + c = register a
CLOBBER = 19  #: register a gets a value of no interest

SP, BP = 4, 5  #: registers as the machine numbers them: ax 0, cx 1, dx 2, bx 3, sp 4, bp 5 ...
NO_REGISTER = -1
