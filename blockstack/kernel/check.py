"""Kernels by name, with what their pointers may call."""

from pathlib import Path

from blockstack.kernel.claims import Checked, check
from blockstack.kernel.profiles import PROFILES
from blockstack.kernel.resolve import Resolution
from blockstack.kernel.shipped import Kernel, load_kernel
from blockstack.kernel.typed import Types, load_types, shipped_types


def types_of(name: str) -> Types | None:
    """Types of a shipped kernel, or of a frame table that has them; None: there are none."""
    if name in PROFILES:
        return shipped_types(PROFILES[name].data)
    return load_types(Path(name))


def resolution_of(kernel: Kernel, name: str) -> Resolution | None:
    """A kernel's frames and types together; None: it has no types."""
    types = types_of(name)
    return None if types is None else Resolution(kernel.table, types)


def check_kernel(name: str) -> Checked | None:
    """What a kernel's types say of what kinds claim; None: it has no types.

    Parameters
    ----------
    name : str
        As `load_kernel` takes it.

    Raises
    ------
    BlockstackError
        As `load_kernel`.
    """
    kernel = load_kernel(name)
    resolution = resolution_of(kernel, name)
    if resolution is None:
        return None
    note = str(resolution.types.meta.get("types", ""))
    return check(resolution, kernel.generation, name, note)
