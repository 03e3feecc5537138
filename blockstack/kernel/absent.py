"""Which device kinds a kernel does not have: a driver that was dropped or not built."""

from blockstack.base.calls import Path, is_root
from blockstack.kernel.shipped import Kernel, shipped_functions
from blockstack.kinds.model import Calls

#: files of one driver each; what is elsewhere is the kernel's own
_DRIVERS = ("drivers/", "fs/", "net/sunrpc/")


def why_absent(kernel: Kernel, calls: Calls) -> str:
    """Why a kernel has no such device; empty when nothing says so.

    A function that the kind's own path needs is missing, and it is known that it was dropped, or
    the whole source file in which the shipped kernel of the same generation has it is missing.

    Parameters
    ----------
    kernel : Kernel
    calls : Calls
        How its generation runs the kind.
    """
    return "" if calls.submit is None else path_absent(kernel, calls.submit)


def path_absent(kernel: Kernel, path: Path) -> str:
    """The same for one path."""
    table, gen = kernel.rows.table, kernel.generation
    needed = [anchor.names for anchor in path.anchors if not anchor.optional]
    needed += [(edge.callee,) for edge in gen.edges_of(path) if not edge.callee_optional]
    lacking = [
        names
        for names in needed
        if not is_root(names[0])
        and not any(map(table.find, names))
        and not any(map(gen.drops, names))
    ]
    for names in lacking:
        reason = next((gen.gone[n] for n in names if n in gen.gone), "")
        if reason:
            return reason
    files = shipped_functions(gen.name, kernel.platform.arch) if lacking else {}
    have = {row[0] for row in table.functions.values()} if files else set()
    for names in lacking:
        file = files.get(names[0], "")
        if file.startswith(_DRIVERS) and file not in have:
            return f"its table has no function of {file}"
    return ""
