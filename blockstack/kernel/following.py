"""Budgets that a search follows, in place of counting them on top: reclaim, the scheduler."""

from blockstack.base.calls import Cut
from blockstack.generations import Generation
from blockstack.kernel.common_cuts import COMMON_CUTS

#: what starts a budget in the task itself (kernels of 2.6: mm/page_alloc.c, kernel/sched.c)
_STARTS = {
    "reclaim": frozenset(("try_to_free_pages",)),
    "schedule": frozenset(("try_to_wake_up", "wake_up_process")),
}


def follow(gen: Generation, budgets: frozenset[str]) -> tuple[tuple[Cut, ...], tuple[str, ...]]:
    """The cuts that hold for every path, and the files that are followed beside a path's own."""
    cuts, files = COMMON_CUTS, gen.files
    for budget in sorted(budgets):
        cuts = tuple(cut for cut in cuts if cut.callee not in _STARTS[budget])
        files += gen.budgets[budget].files
    if "reclaim" in budgets:
        cuts += tuple(map(Cut.read, gen.allocations))
    return cuts, files
