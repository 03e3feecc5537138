"""What a report states beside its rows: its kernel, registers, bounds of the stack, an overflow."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from blockstack.oops.forms import Place, places_of

_ADDRESS = r"(?:0x)?([0-9a-fA-F]{8,16})\b"
_ARCH = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "i386": "i386",
    "i486": "i386",
    "i586": "i386",
    "i686": "i386",
    "686": "i386",
    "686-pae": "i386",
    "aarch64": "arm64",
    "ppc64le": "ppc64",
    "ppc64el": "ppc64",
    "s390x": "s390",
    "riscv64": "riscv",
}
_RELEASE = r"\d+\.\d+[\w.+~-]*"
#: what holds for the next report of the same text, too
_LASTING = {
    "thread_size_bytes": re.compile(r"THREAD_SIZE[:=\s]+(\d{4,6})\b"),
    "kernel": re.compile(
        r"\A\s*#\s*kernel:\s*(\S.*?)\s*(?:\s{3,}|\Z)"
        r"|(?:Not tainted|Tainted: [A-Z ]+)(?:,)?\s+\(?(" + _RELEASE + ")"
        r"|EFLAGS:\s[0-9a-f]+\s+\((" + _RELEASE + r")[\s)]"
        r"|\A\s*(?:RELEASE|# os release\s*):\s+(" + _RELEASE + ")"
        r"|\A\s*Linux (?:version )?(" + _RELEASE + ")"
        r"|Linux version (\S+)"
    ),
    "arch": re.compile(
        r"\barch:\s*([\w-]+)|\A\s*MACHINE:\s+([\w-]+)"
        r"|(?:tainted|Tainted: [A-Z ]+|Linux(?: version)?|RELEASE:)\s+\(?\d+\.\d+\S*?[.-]"
        r"(amd64|x86_64|i[3-6]86|686(?:-pae)?|aarch64|arm64|ppc64le|ppc64el|ppc64|s390x|riscv64)\b"
    ),
}
_TITLE = re.compile(
    r"\A\s*#\s*(?:stack|title):\s*(\S.*?)\s*\Z"
    r"|\A\s*((?:BUG|kernel BUG|PANIC|Oops|WARNING|do_IRQ)[: (].*?)\s*\Z"
)
_LEFT = re.compile(
    r"\A\s*#?\s*reported_bytes_left:\s*(\d+)|\A\s*do_IRQ: (?:\w+ )?stack overflow: (-?\d+)"
)
#: kernel/exit.c: check_stack_usage()
_GREATEST = re.compile(r"\A\s*(?:(\S.{0,40}?) )?used greatest stack depth: (\d+) bytes left\s*\Z")
#: arch/x86/kernel/traps.c, irq_64.c, mm/fault.c; arm64, riscv and s390 traps.c; powerpc traps.c
_OVERFLOW = re.compile(
    r"\A\s*(?:(?:BUG|Oops|PANIC|Internal error|Kernel panic - not syncing)[:,]?\s+)*"
    r"((?:(?P<which>\S+) )?stack guard page(?: was hit|:)"
    r"|[Kk]ernel stack overflow\b|Thread overran stack|corrupted stack end detected"
    r"|Insufficient stack space to handle exception"
    r"|.{0,60}has overflown the kernel stack)"
)
_RANGE = re.compile(
    r"\(stack is " + _ADDRESS + r"\.\." + _ADDRESS + r"\)"
    r"|\A\s*Task stack:\s*\[" + _ADDRESS + r"\.\." + _ADDRESS + r"\]"
)
_HIT = re.compile(r"guard page was hit at " + _ADDRESS)
_CUR = re.compile(r"\(cur:" + _ADDRESS + r",\s?sp:" + _ADDRESS)
#: arm: "Stack: (0xc7f87e60 to 0xc7f88000)": from the stack pointer to the top
_DUMPED = re.compile(r"\A\s*Stack: \(" + _ADDRESS + r" to " + _ADDRESS + r"\)")
_INFO = re.compile(r"task\.ti[=:]\s*" + _ADDRESS + r"|\bthread_?info[= ]+" + _ADDRESS)
_TI = re.compile(r"\bti=" + _ADDRESS)
_SP = re.compile(
    r"\bRSP:?\s+(?:(?P<segment>[0-9a-f]{4}):)?<?" + _ADDRESS
    + r"|\b(?:ESP|esp):\s+(?:[0-9a-f]{4}:)?" + _ADDRESS
    + r"|SS:ESP\s+[0-9a-f]{4}:" + _ADDRESS
    + r"|\bsp\s?:\s+" + _ADDRESS + r"|, r1=" + _ADDRESS
)  # fmt: skip
_USER_SEGMENTS = ("0023", "002b", "0033", "007b")
_FAULT = re.compile(
    r"\bCR2:\s+" + _ADDRESS + r"|unable to handle (?:kernel )?(?:paging request|page fault)"
    r"(?: at| for address:?)(?: virtual address)? " + _ADDRESS
)
_POINTER = re.compile(
    r"\A\s*(?:(?:[RE]?IP|pc|epc|NIP|IP)\s*:?\s+(?:is at\s+)?(?:[0-9a-f]{4}:)?(?=\S)"
    r"|PC is at\s+|EIP is at\s+|Krnl PSW : \S+ \S+ (?=\())(?P<rest>.*)",
    re.IGNORECASE,
)
_SYMBOL = re.compile(
    r"(?::[\w-]+:)?[A-Za-z_$.][\w.$]*(?:\+0x[0-9a-fA-F]+/0x[0-9a-fA-F]+|\s+\([\w./]+:\d+)"
)
#: registers that one architecture has
_REGISTERS = (
    ("x86_64", re.compile(r"\b(?:RIP|RSP|RAX|ORIG_RAX):?\s")),
    ("i386", re.compile(r"\b(?:EIP(?:: | is at)|e[abcd]x: [0-9a-f]{8}|EAX: |esp: [0-9a-f]{8})")),
    ("arm64", re.compile(r"\bpstate\s?: |\bx29: |\ASP_EL|\A\s*(?:pc|lr) : \w+\+0x")),
    ("arm", re.compile(r"\A\s*(?:PC|LR) is at |\bpsr: [0-9a-f]{8}")),
    ("riscv", re.compile(r"\A\s*epc : |\bscause: |\bstatus: [0-9a-f]+ badaddr: ")),
    ("ppc64", re.compile(r"(?i)\bNIP:?\s+\[?[0-9a-f]{16}|\bCFAR: |, r1=[0-9a-f]{16}")),
    ("ppc", re.compile(r"(?i)\bNIP:?\s+\[?[0-9a-f]{8}\b|, r1=[0-9a-f]{8}\b")),
    ("s390", re.compile(r"\bKrnl (?:PSW|GPRS|Code)\b")),
    ("mips", re.compile(r"\A\s*\$ 0\s+: ")),
    ("loongarch", re.compile(r"\A\s*ERA: ")),
    ("sparc64", re.compile(r"\bTPC: ")),
)
#: names of entry code that one architecture has
_ENTRIES = (
    ("x86_64", re.compile(r"entry_SYSCALL_64|do_syscall_64|asm_\w+|__x64_sys_\w+|x64_sys_call")),
    ("i386", re.compile(r"sysenter_past_esp|entry_SYSENTER_32|entry_INT80_32|__ia32_sys_\w+")),
    ("arm64", re.compile(r"el[01][ht]?_\w*64\w*|__arm64_sys_\w+|el[01]_(?:sync|svc|irq|da)\w*")),
    ("riscv", re.compile(r"__riscv_sys_\w+|do_trap_ecall_u|handle_kernel_stack_overflow")),
    ("ppc64", re.compile(r"system_call_(?:exception|vectored_common)|start_kernel_thread")),
    ("s390", re.compile(r"__s390x?_sys_\w+|__do_pgm_check|pgm_check_handler")),
)


@dataclass(frozen=True)
class Stated:
    """What a text says about the oops that follows.

    Attributes
    ----------
    kernel, title : str
    arch : str
        ``x86_64``, ``i386``, or the text's own word for another one.
    registers_arch : str
        The architecture that has the registers, where the text has no word for it.
    thread_size_bytes, bytes_left : int or None
    overflow : str
        The words that say that the stack overflowed; empty: none do.
    which : str
        Whose stack that was, where it is not the task's (``IRQ``, ``#DF``).
    stack_low, stack_high : int or None
        Bounds of the stack: its lowest byte, the first one above it.
    thread_info : int or None
        Low end of the stack, which is of unknown size.
    stack_pointer, fault_address : int or None
    pointer : Place or None
        The instruction pointer's function.
    hashed : bool
        The kernel hid the stack's bounds.
    """

    kernel: str = ""
    arch: str = ""
    title: str = ""
    thread_size_bytes: int | None = None
    bytes_left: int | None = None
    registers_arch: str = ""
    overflow: str = ""
    which: str = ""
    stack_low: int | None = None
    stack_high: int | None = None
    thread_info: int | None = None
    stack_pointer: int | None = None
    fault_address: int | None = None
    pointer: Place | None = None
    hashed: bool = False

    def outlasting(self) -> "Stated":
        """What also holds for the next oops of the same text."""
        return Stated(self.kernel, self.arch, thread_size_bytes=self.thread_size_bytes)

    @property
    def alone(self) -> bool:
        """It says how deep the stack was without any row."""
        return bool(self.overflow) or self.bytes_left is not None


def greatest_depth(line: str) -> tuple[str, int] | None:
    """Task and bytes left of a line that tells the deepest task so far; None: it is another one."""
    match = _GREATEST.match(line)
    return None if match is None else (match[1] or "a task", int(match[2]))


def stated_by(before: Stated, line: str, *, registers: bool = True) -> Stated:
    """``before``, with what this line says.

    Parameters
    ----------
    before : Stated
    line : str
    registers : bool
        Registers are of the report that follows; kernels print them again after it.
    """
    found = before
    said = {name: _first(pattern.search(line)) for name, pattern in _LASTING.items()}
    if size := said["thread_size_bytes"]:
        found = replace(found, thread_size_bytes=int(size))
    if kernel := said["kernel"]:
        found = replace(found, kernel=kernel)
    if arch := said["arch"]:
        found = replace(found, arch=_ARCH.get(arch, arch))
    if (title := _first(_TITLE.search(line))) and not found.overflow:
        found = replace(found, title=title)
    if left := _first(_LEFT.search(line)):
        found = replace(found, bytes_left=int(left))
    found = _overflow(found, line)
    if registers:
        for add in (_bounds, _registers, _instruction):
            found = add(found, line)
    return found


def _first(match: re.Match[str] | None) -> str | None:
    return next((g for g in match.groups() if g is not None), None) if match else None


def _overflow(found: Stated, line: str) -> Stated:
    match = _OVERFLOW.match(line)
    if match is None:
        return found
    which = match["which"] or ""
    which = found.which if which in ("", "TASK", "kernel", "Oops:", "BUG:") else which
    # the first words say most: "stack guard page was hit" before "double fault"
    title = found.title or line.strip()
    return replace(found, overflow=found.overflow or match[1].strip(), which=which, title=title)


def _bounds(found: Stated, line: str) -> Stated:
    """Where the stack lies."""
    if match := _RANGE.search(line):
        low, high = (g for g in match.groups() if g is not None)
        if _is_hashed(low) or _is_hashed(high):
            return replace(found, hashed=True)
        # inclusive to 6.1, exclusive in the task's info of dumpstack.c
        found = _range(found, int(low, 16), int(high, 16) + (int(high, 16) & 1))
        if (hit := _HIT.search(line)) and not _is_hashed(hit[1]):
            found = replace(found, fault_address=int(hit[1], 16))
    elif match := _DUMPED.match(line):
        if not _is_hashed(match[1]):
            sp, high = int(match[1], 16), int(match[2], 16)
            found = replace(found, stack_pointer=sp, stack_high=high)
    elif match := _CUR.search(line):
        low, sp_digits = match.groups()
        if not _is_hashed(low):
            found = replace(found, thread_info=int(low, 16), stack_pointer=int(sp_digits, 16))
    elif (digits := _first(_INFO.search(line) or _TI.search(line))) and not _is_hashed(digits):
        found = replace(found, thread_info=int(digits, 16) & ~0xFFF)
    return found


def _range(found: Stated, low: int, high: int) -> Stated:
    size = high - low
    if size < 4096 or size > 1 << 20 or size & (size - 1):
        return found
    return replace(found, stack_low=low, stack_high=high)


def _is_hashed(digits: str) -> bool:
    """A pointer that ``%p`` hid: 32 bits of a hash in 16 digits (lib/vsprintf.c, 4.15 on)."""
    return len(digits) == 16 and digits.startswith("00000000")


def _registers(found: Stated, line: str) -> Stated:
    arch = next((name for name, pattern in _REGISTERS if pattern.search(line)), "")
    if arch and not found.registers_arch:
        found = replace(found, registers_arch=arch)
    match = _SP.search(line)
    if match and match["segment"] not in _USER_SEGMENTS and found.stack_pointer is None:
        digits = next(g for g in match.groups()[1:] if g is not None)
        found = replace(found, stack_pointer=int(digits, 16))
    if found.fault_address is None and (fault := _first(_FAULT.search(line))):
        found = replace(found, fault_address=int(fault, 16))
    return found


def _instruction(found: Stated, line: str) -> Stated:
    place = instruction(line)
    return found if place is None or found.pointer else replace(found, pointer=place)


def instruction(line: str) -> Place | None:
    """The function that a line names as the instruction pointer's; None: none."""
    match = _POINTER.match(line)
    symbol = _SYMBOL.search(match["rest"]) if match else None
    if match is None or symbol is None:
        return None
    text = match["rest"][symbol.start() :].strip()
    text = text.removesuffix(")") if match["rest"].startswith("(") else text
    text = re.sub(r"\s+SS:ESP.*", "", text)
    found = places_of(text)
    return found[0] if found and not found[0].user else None


def architecture(stated: Stated, places: Sequence[Place]) -> str:
    """The architecture of a report: its own word, its registers, its entry code, its addresses.

    Returns
    -------
    str
        Empty: nothing tells; "another" for addresses of 64 bits that no x86 kernel has.
    """
    if stated.arch or stated.registers_arch:
        return stated.arch or stated.registers_arch
    by_entry = _told(lambda pattern: any(pattern.fullmatch(p.name) for p in places))
    if by_entry:
        return by_entry
    addresses = [p.address.lower() for p in places if len(p.address) in (8, 16)]
    if not addresses:
        return ""
    wide = all(len(a) == 16 for a in addresses)
    if not wide:
        return "i386" if all(a >= "c0000000" for a in addresses) else ""
    if any(p.stack_pointer is not None for p in places) and addresses[0].startswith(("c0", "d0")):
        return "ppc64"
    # kernel text, modules: arch/x86/include/asm/page_64_types.h, pgtable_64_types.h
    x86 = all(a.startswith(("ffffffff", "0000000000000000")) for a in addresses)
    return "x86_64" if x86 else "another"


def _told(test: Callable[[re.Pattern[str]], bool]) -> str:
    return next((name for name, pattern in _ENTRIES if test(pattern)), "")
