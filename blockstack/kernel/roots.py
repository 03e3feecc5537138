"""Where a task's stack begins: what the platform puts on it before the first C function."""

from blockstack.base.calls import is_root
from blockstack.base.errors import BlockstackError
from blockstack.generations import Generation
from blockstack.generations.platform import Platform
from blockstack.kernel.graph import CallPath, Step
from blockstack.kernel.table import FrameTable


def rooted(
    path: CallPath, table: FrameTable, generation: Generation, platform: Platform
) -> CallPath:
    """``@syscall`` and the like replaced by the rows that the platform puts there."""
    steps: list[Step] = []
    missing: tuple[str, ...] = ()
    for step in path.steps:
        if not is_root(step.function):
            steps.append(step)
            continue
        root = generation.roots.get((platform.arch, step.function))
        if root is None:
            raise BlockstackError(
                "no such root on this architecture",
                path=generation.name,
                value=step.function,
            )
        steps += [Step(name, n, "derived") for name, n in root.rows]
        if root.entry is not None:
            first = _entry(table, *root.entry)
            steps, missing = [*steps, *first.steps], missing + first.missing
        if step.function == "@syscall" and platform.offset_bytes:
            # CONFIG_RANDOMIZE_KSTACK_OFFSET, include/linux/randomize_kstack.h: at most 10 bits
            steps.append(Step("randomize_kstack_offset", platform.offset_bytes, "published"))
    if generation.doubt:
        steps.append(Step(generation.doubt, 0, "assumed"))
    return CallPath(tuple(steps), path.missing + missing)


def _entry(table: FrameTable, assembly: str, function: str) -> CallPath:
    """Assembly at its call of a C function, and that one at its call through a pointer."""
    site, kept = table.site(assembly, function), table.indirect_site(function)
    missing = tuple(n for n, found in ((assembly, site), (function, kept)) if found is None)
    pushed = (site or 0) - table.pointer_bytes  # nothing calls the assembly
    rows = ((assembly, pushed), (function, kept or 0))
    return CallPath(tuple(Step(name, n) for name, n in rows if n > 0), missing)
