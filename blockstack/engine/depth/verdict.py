"""One task's depth against its limit: what it is called, what may come on top, does it fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from blockstack.base.hints import listed
from blockstack.engine.plan.paths import LayeredPath
from blockstack.results.result import TaskDepth, judge


class TaskName(NamedTuple):
    """What a task is called: an entry point, a thread, ``completion``; and the device that it
    serves, empty where it serves all."""

    what: str
    device: str
    more: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.device}".rstrip() + self.more


@dataclass(frozen=True)
class OnTop:
    """What may come on a task's stack beside its own path; 0: nothing.

    Attributes
    ----------
    interrupts_bytes : int
        Entry frames, or softirq and hard interrupt whole where stacks are shared.
    budgets : mapping of name to bytes
        Page reclaim, the scheduler: bounded by themselves, and not at the path's deepest point.
    struck_bytes : int
        For an interrupt on a shared stack: the deepest task that it may strike.
    missing : tuple of str
        What was left out of the stack: no one knows how deep a path through it is.
    doubt : str
        Why no depth on this kernel is a verdict.
    budgeted_bytes : int or None
        The task's depth where an allocation on its way starts page reclaim, or it sleeps; None:
        its budgets are as `budgets` says.
    other_bytes : int
        Its depth in another build of the same kernel; 0: there is none.
    other_budgeted_bytes : int
        The same with page reclaim or sleep, where the search followed them; 0: it did not.
    factor : tuple of float
        How much deeper the published dumps of such kernels are than these tables; empty: unknown.
    """

    interrupts_bytes: int = 0
    budgets: Mapping[str, int] = field(default_factory=dict)
    struck_bytes: int = 0
    missing: tuple[str, ...] = ()
    doubt: str = ""
    budgeted_bytes: int | None = None
    other_bytes: int = 0
    other_budgeted_bytes: int = 0
    factor: tuple[float, ...] = ()


def _over_both(
    on_top: OnTop, depth: int, limit_bytes: int, fits: bool | None, why: list[str]
) -> bool | None:
    """The verdict over both builds: it fits only if both do, and overflows only if both do."""
    if not on_top.other_bytes:
        return fits
    more = max([*on_top.budgets.values(), (on_top.budgeted_bytes or depth) - depth, 0])
    deepest = max(
        on_top.other_bytes + (0 if on_top.other_budgeted_bytes else more),
        on_top.other_budgeted_bytes,
    )
    other = deepest + on_top.interrupts_bytes <= limit_bytes
    if fits is None or fits == other:
        return fits
    ours, theirs = ("fits", "overflows") if fits else ("overflows", "fits")
    why.append(f"{ours} as built by gcc 11, {theirs} with the flags of 2005: {deepest:,} bytes")
    return None


def _budget(on_top: OnTop, depth: int) -> int:
    """What page reclaim or the scheduler put on top of the deeper build."""
    in_other = on_top.other_budgeted_bytes - max(depth, on_top.other_bytes)
    return max([*on_top.budgets.values(), (on_top.budgeted_bytes or 0) - depth, in_other, 0])


def task_depth(
    name: TaskName,
    context: str,
    path: LayeredPath,
    limit_bytes: int,
    on_top: OnTop,
    reached: bool = False,
    bound_bytes: int = 0,
    direction: str = "submission",
) -> TaskDepth:
    """A path on a stack, judged.

    Parameters
    ----------
    reached : bool
        By a simulated bio; False: the path is the bound.
    bound_bytes : int
        For a simulated task: how deep its bound is.
    direction : {"submission", "completion"}

    What may come on top never makes a fit certain: a path that fits only without it is "cannot
    tell".
    """
    depth = path.bytes
    fits = judge(depth, limit_bytes, path.exact)
    why = []
    if path.missing:
        why.append("at least: the frame table lacks " + ", ".join(path.missing[:4]))
    whole = depth + on_top.interrupts_bytes + on_top.struck_bytes
    if fits and whole > limit_bytes:
        fits = None
        struck = f" on a task {on_top.struck_bytes} bytes deep" if on_top.struck_bytes else ""
        why.append(f"fits only while no interrupt strikes{struck}: {whole} bytes with one")
    for budget, n_bytes in on_top.budgets.items():
        if fits and whole + n_bytes > limit_bytes:
            fits = None
            why.append(f"fits only without {budget}, which may need {n_bytes} bytes")
    if on_top.budgeted_bytes is not None and fits:
        deeper = max(whole, on_top.budgeted_bytes + on_top.interrupts_bytes)
        fits = deeper <= limit_bytes
        if not fits:
            why.append(f"overflows where it reclaims pages or sleeps: {deeper:,} bytes")
    fits = _over_both(on_top, depth, limit_bytes, fits, why)
    if fits is not False and on_top.missing:
        fits = None
        why.append(f"what was left out may make it deeper: {listed(on_top.missing)}")
    if fits is not False and bound_bytes > limit_bytes:
        fits = None
        why.append(
            f"no bio of this run went deeper, but some may: the bound is {bound_bytes:,} bytes"
        )
    if on_top.doubt:
        fits = None
        why.insert(0, on_top.doubt)
    frames = path.frames()
    rests = sorted({f.function for f in frames if f.source in ("assumed", "published")})
    if rests:
        why.append("rests on assumed or published rows: " + ", ".join(rests))
    return TaskDepth(
        str(name),
        context,
        depth,
        limit_bytes,
        fits,
        path.exact,
        path.missing,
        "; ".join(why),
        frames,
        "simulated" if reached else "bound",
        on_top.interrupts_bytes + on_top.struck_bytes,
        _budget(on_top, depth),
        work=name.what,
        device=name.device,
        direction=direction,
        reasons=tuple(why),
        other_build_bytes=on_top.other_bytes,
        published_bytes=tuple(round(depth * f) for f in on_top.factor),
    )
