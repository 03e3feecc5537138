"""Which device kinds a kernel does not have: a driver that was dropped or not built."""

from blockstack.kernel.shipped import Kernel, shipped_functions
from blockstack.kinds.model import Calls, Path

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
    needed = [text.removeprefix(">").split("|") for text in path.via if not text.endswith("?")]
    needed += [[callee] for _, callee in path.edges]
    lacking = [
        names
        for names in needed
        if names[0][0] != "@"
        and not any(map(table.find, names))
        and not any(gen.renames.get(n) == () for n in names)
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
