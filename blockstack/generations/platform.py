"""The x86 stack model: how large a thread's stack is, what else lives on it, what an overflow does.

Sizes are those of each kernel's ``include/asm-i386/thread_info.h`` (2.6),
``arch/x86/include/asm/page_*_types.h`` (3.10 on) and ``arch/i386/kernel/irq.c``, as cited per
field.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from blockstack.base.errors import ConfigError


@dataclass(frozen=True)
class Platform:
    """One architecture and configuration of kernel stacks.

    Attributes
    ----------
    arch : {"i386", "x86_64"}
    thread_size_bytes : int
        THREAD_SIZE.
    thread_info_bytes : int
        ``struct thread_info`` at the low end of the stack; 0 where it lives in task_struct.
    magic_bytes : int
        STACK_END_MAGIC word above it; 0 in kernels without one.
    irq_stacks : {"shared", "separate"}
        Whether interrupts run on the interrupted task's stack.
    irq_stack_bytes : int
        Size of a per-CPU interrupt stack; 0 when shared.
    irq_entry_bytes : int
        What an interrupt leaves on the task's stack before it switches (pt_regs and the entry).
    guard : {"none", "canary", "guard-page"}
        What notices an overflow.
    offset_bytes : int
        Largest randomised stack offset at a system call (randomize_kstack_offset), 0 when off.
    guard_pages : int
        Unmapped pages per stack (virtual address space only).
    irq_stacks_with_4k : bool
        Interrupt stacks come with 4K stacks only (CONFIG_4KSTACKS of 2.6).
    irq_entry_missing : tuple of str
        What the frame table lacks of ``irq_entry_bytes``.
    """

    arch: str
    thread_size_bytes: int
    thread_info_bytes: int
    magic_bytes: int
    irq_stacks: Literal["shared", "separate"]
    irq_stack_bytes: int
    irq_entry_bytes: int
    guard: Literal["none", "canary", "guard-page"]
    offset_bytes: int = 0
    guard_pages: int = 0
    irq_stacks_with_4k: bool = False
    irq_entry_missing: tuple[str, ...] = ()

    @property
    def limit_bytes(self) -> int:
        """Usable bytes: THREAD_SIZE less thread_info and the magic word.

        pt_regs and the padding at the top are the first row of every path and stay in.
        """
        return self.thread_size_bytes - self.thread_info_bytes - self.magic_bytes

    @property
    def irq_limit_bytes(self) -> int:
        """Usable bytes of an interrupt stack (the thread's own limit when it is shared)."""
        return self.irq_stack_bytes - self.thread_info_bytes if self.irq_stack_bytes else 0

    def limit_of(self, context: str) -> int:
        """Usable bytes of the stack that a context (``softirq``, ``worker`` ...) runs on."""
        on_irq = context in ("softirq", "hardirq") and self.irq_limit_bytes
        return self.irq_limit_bytes if on_irq else self.limit_bytes

    @property
    def allocation_order(self) -> int:
        """Order of the page allocation behind one stack: 0 for 4 KiB, 1 for 8, 2 for 16."""
        return (self.thread_size_bytes // 4096 - 1).bit_length()

    @property
    def contiguous(self) -> bool:
        """Whether the pages must be physically contiguous (not with virtually mapped stacks)."""
        return self.guard != "guard-page"

    @property
    def overflow_outcome(self) -> str:
        """What happens to a task that runs past the limit."""
        outcomes = {
            "none": "silently overwrites thread_info, then the page below the stack",
            "canary": "overwrites STACK_END_MAGIC and thread_info; noticed at the next check",
            "guard-page": "hits the guard page: double fault, the task dies with an oops",
        }
        return outcomes[self.guard]

    def memory_bytes(self, threads: int) -> int:
        """Memory of the stacks of ``threads`` threads."""
        return threads * self.thread_size_bytes

    def to_dict(self, threads: int) -> dict[str, Any]:
        """Plain data for JSON, with what follows from the fields for ``threads`` threads."""
        return asdict(self) | {
            "limit_bytes": self.limit_bytes,
            "allocation_order": self.allocation_order,
            "contiguous": self.contiguous,
            "overflow_outcome": self.overflow_outcome,
            "threads": threads,
            "memory_bytes": self.memory_bytes(threads),
        }

    def with_thread_size(self, thread_size_bytes: int) -> "Platform":
        """The same platform with another THREAD_SIZE (a what-if).

        Raises
        ------
        ConfigError
            Not a power of two of at least 4 KiB.
        """
        if thread_size_bytes < 4096 or thread_size_bytes & (thread_size_bytes - 1):
            raise ConfigError(
                "a thread size is a power of two of at least 4096 bytes",
                path="thread_size",
                value=thread_size_bytes,
                hint="try 4096, 8192 or 16384",
            )
        if self.irq_stacks_with_4k:
            small = thread_size_bytes == 4096
            return replace(
                self,
                thread_size_bytes=thread_size_bytes,
                irq_stacks="separate" if small else "shared",
                irq_stack_bytes=thread_size_bytes if small else 0,
            )
        same = self.irq_stack_bytes == self.thread_size_bytes
        return replace(
            self,
            thread_size_bytes=thread_size_bytes,
            irq_stack_bytes=thread_size_bytes if same else self.irq_stack_bytes,
        )


@dataclass(frozen=True)
class Profile:
    """A kernel that ships: which build it is, and what its stacks are like.

    Attributes
    ----------
    data : str
        Its frame table, a file in ``kernel/data``.
    release : str
        What ``uname -r`` says on it.
    platform : Platform
    column : int
        Of the table: where a function's frame stands.
    generation : str
        Set by the generation whose file has the profile.
    other_data : str
        The frame table of the same source built otherwise, where its compiler is not that of the
        time: a verdict goes over both.
    """

    data: str
    release: str
    platform: Platform
    column: int = 1
    generation: str = ""
    other_data: str = ""


def i386_v2_6(thread_size_bytes: int, thread_info_bytes: int) -> Platform:
    """i386 of 2.6: 4K stacks (CONFIG_4KSTACKS) have interrupt stacks of their own."""
    small = thread_size_bytes == 4096
    return Platform(
        "i386",
        thread_size_bytes,
        thread_info_bytes,
        0,
        "separate" if small else "shared",
        thread_size_bytes if small else 0,
        0,
        "none",
        irq_stacks_with_4k=True,
    )


# irq_entry_bytes: pt_regs (168, aligned to 176; 68 and 8) and the frames of common_interrupt (32;
# 20, and __common_interrupt's 36) from the tables, before the stack is switched.
# thread_info lives in task_struct since 4.9; SCHED_STACK_END_CHECK is on in Debian's configs;
# randomize_kstack_offset adds up to 0x3ff rounded down to the stack's alignment
X86_64 = Platform(
    "x86_64", 16384, 0, 8, "separate", 16384, 208, "guard-page", offset_bytes=1016, guard_pages=1
)
I386 = Platform("i386", 8192, 0, 4, "separate", 8192, 132, "canary", offset_bytes=1020)
