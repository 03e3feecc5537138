"""What assumptions about the machine and its files are worth: bytes, and verdicts.

Untold is the deeper way (`Environment`), so that *fits* holds whatever the machine is. *Overflows*
needs every machine that the told leave open: where the least of them fits, nobody can tell.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from blockstack.base.calls import Cut
from blockstack.base.environment import UNTOLD, Environment
from blockstack.engine.depth.static import StaticTasks, each_deepest
from blockstack.generations import generation
from blockstack.kernel.names import plain_name
from blockstack.kernel.subset import paths_of
from blockstack.results.result import TaskDepth, worst


def worths(tasks: Sequence[TaskDepth], bounds: Sequence[StaticTasks]) -> Iterator[str]:
    """A sentence for each assumption that the deepest task's depth rests on."""
    deepest = worst(tuple(tasks))
    kernel = bounds[0].plan.kernel
    for key, environment in kernel.environment.shallower():
        if key in kernel.generation.environment and _asked(kernel.generation.name, key, deepest):
            less = max(task.peak_bytes for task in _under(bounds, environment))
            if less < deepest.peak_bytes:
                yield (
                    f"with {key} = {environment.words()[key]}: {deepest.peak_bytes - less:,} "
                    "bytes less"
                )


def over_environments(
    tasks: Sequence[TaskDepth], bounds: Sequence[StaticTasks]
) -> tuple[TaskDepth, ...]:
    """Tasks that overflow only on some of the machines that nobody has ruled out: cannot tell."""
    kernel = bounds[0].plan.kernel
    least = kernel.environment.least()
    if least == kernel.environment or not kernel.generation.environment:
        return tuple(tasks)
    if all(task.fits is not False for task in tasks):
        return tuple(tasks)
    shallow = {task.task: task for task in _under(bounds, least)}
    return tuple(_divided(task, shallow.get(task.task), least) for task in tasks)


def _divided(task: TaskDepth, other: TaskDepth | None, least: Environment) -> TaskDepth:
    if task.fits is not False or (other is None and task.how != "bound"):
        return task
    if other is not None and other.peak_bytes > task.limit_bytes:
        return task
    untold = UNTOLD.words()
    named = ", ".join(f"{k} = {word}" for k, word in least.words().items() if word != untold[k])
    needs = "there is no such task" if other is None else f"it needs {other.peak_bytes:,} bytes"
    why = f"overflows as untold; with {named} {needs}"
    return replace(
        task,
        fits=None,
        why="; ".join(filter(None, (task.why, why))),
        reasons=(*task.reasons, why),
    )


def _under(bounds: Sequence[StaticTasks], environment: Environment) -> tuple[TaskDepth, ...]:
    kernel = bounds[0].plan.kernel.override(environment=environment)
    tasks = each_deepest(task for static in bounds for task in static.on(kernel).all())
    return tuple(task for task in tasks if task.context in ("caller", "worker"))


def _asked(name: str, key: str, task: TaskDepth) -> bool:
    """Whether a cut that asks for this assumption names a function of the task's path."""
    functions = {plain_name(frame.function) for frame in task.path}
    patterns = (cut.callee for cut in _conditional(name) if re.search(rf"\b{key}=", cut.when))
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), function)
        for pattern in patterns
        for function in functions
    )


@cache
def _conditional(name: str) -> frozenset[Cut]:
    """Every cut of a generation that asks for an environment."""
    gen = generation(name)
    paths = (cut for path in paths_of(gen) for cut in path.calls_left_out)
    return frozenset(cut for cut in (*gen.calls_left_out, *paths) if cut.when)
