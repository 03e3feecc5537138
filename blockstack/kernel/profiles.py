"""The kernels that ship: which build each one is, and what its stacks are like."""

from collections.abc import Mapping
from dataclasses import dataclass

from blockstack.kernel.platform import Platform


def _i386_v2_6(thread_size_bytes: int, thread_info_bytes: int) -> Platform:
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


@dataclass(frozen=True)
class Profile:
    """What a shipped kernel name stands for.

    Attributes
    ----------
    data : str
        Its frame table, a file in ``kernel/data``.
    generation : str
    release : str
        What ``uname -r`` says on it.
    platform : Platform
    column : int
        Of the table: where a function's frame stands.
    """

    data: str
    generation: str
    release: str
    platform: Platform
    column: int = 1


# irq_entry_bytes: pt_regs (168, aligned to 176; 68 and 8) and the frames of common_interrupt (32;
# 20, and __common_interrupt's 36) from the tables, before the stack is switched.
# thread_info lives in task_struct since 4.9; SCHED_STACK_END_CHECK is on in Debian's configs;
# randomize_kstack_offset adds up to 0x3ff rounded down to the stack's alignment
_X86_64 = Platform(
    "x86_64", 16384, 0, 8, "separate", 16384, 208, "guard-page", offset_bytes=1016, guard_pages=1
)
# thread_info by hand from the structs: 2.6.24's restart_block holds a futex's arguments, four bytes
# more than 2.6.18's four words (commit ce6bd420f43b)
PROFILES: Mapping[str, Profile] = {
    "linux-2.6.18-i386-4k": Profile(
        "linux-2.6.18-i386.json.gz", "2.6.18", "2.6.18", _i386_v2_6(4096, 56)
    ),
    "linux-2.6.18-i386-8k": Profile(
        "linux-2.6.18-i386.json.gz", "2.6.18", "2.6.18", _i386_v2_6(8192, 56)
    ),
    "linux-2.6.24-i386-4k": Profile(
        "linux-2.6.24-i386.json.gz", "2.6.24", "2.6.24", _i386_v2_6(4096, 60)
    ),
    "linux-2.6.24-i386-8k": Profile(
        "linux-2.6.24-i386.json.gz", "2.6.24", "2.6.24", _i386_v2_6(8192, 60)
    ),
    "linux-6.1-i386": Profile(
        "linux-6.1-i386.json.gz",
        "6.1",
        "6.1.0-50-686-pae",
        Platform("i386", 8192, 0, 4, "separate", 8192, 132, "canary", offset_bytes=1020),
    ),
    "linux-6.1-x86_64": Profile("linux-6.1-x86_64.json.gz", "6.1", "6.1.0-56-amd64", _X86_64),
    "linux-6.12-x86_64": Profile(
        "linux-6.12-x86_64.json.gz", "6.12", "6.12.117+deb12-amd64", _X86_64
    ),
}
