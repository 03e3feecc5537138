"""Budgets that a search follows, in place of counting them on top: reclaim, the scheduler."""

from collections.abc import Callable

from blockstack.base.calls import Cut, Path
from blockstack.generations import Generation
from blockstack.kernel.common_cuts import COMMON_CUTS
from blockstack.kernel.cuts import CutTable

#: what starts a budget in the task itself (kernels of 2.6: mm/page_alloc.c, kernel/sched.c)
_STARTS = {
    "reclaim": frozenset(("try_to_free_pages",)),
    "schedule": frozenset(("try_to_wake_up", "wake_up_process")),
}


def common_cuts(
    gen: Generation,
    budgets: frozenset[str],
    more: tuple[Cut, ...],
    holds: Callable[[Cut], bool],
) -> tuple[CutTable, tuple[str, ...]]:
    """The cuts that hold for every path, and the files that are followed beside a path's own."""
    cuts, files = COMMON_CUTS, gen.files
    for budget in sorted(budgets):
        cuts = tuple(cut for cut in cuts if cut.callee not in _STARTS[budget])
        files += gen.budgets[budget].files
    if "reclaim" in budgets:
        cuts += tuple(map(Cut.read, gen.allocations))
    own = tuple(filter(holds, gen.calls_left_out))
    return CutTable(own + more + cuts, once=gen.former_names), files


def path_cuts(path: Path, holds: Callable[[Cut], bool], common: CutTable) -> CutTable:
    """A path's own cuts beside the common ones; what it asks for by name is no budget."""
    wanted = frozenset((edge.caller, edge.callee) for edge in path.indirect_calls)
    return CutTable(tuple(filter(holds, path.calls_left_out)), wanted, common.once, common)
