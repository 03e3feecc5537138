"""Stacks for flame-graph viewers: folded lines (bytes as weight) and speedscope's JSON."""

import json
from collections.abc import Sequence
from typing import Any

from blockstack.results.result import Frame, TaskDepth


def folded(tasks: Sequence[TaskDepth]) -> str:
    """One line per frame, ``task;outer;...;frame bytes``: flamegraph.pl and its kin draw it."""
    lines = []
    for task in tasks:
        names = [_plain(f"{task.task} [{task.context}]")]
        for frame in task.path:
            names.append(_plain(_name(frame)))
            lines.append(f"{';'.join(names)} {frame.bytes}")
    return "\n".join(lines) + "\n"


def speedscope(name: str, tasks: Sequence[TaskDepth]) -> str:
    """A speedscope file (speedscope.app/file-format-schema.json): a profile per task, in bytes."""
    numbers: dict[str, int] = {}
    profiles: list[dict[str, Any]] = []
    for task in tasks:
        stack = [numbers.setdefault(_name(frame), len(numbers)) for frame in task.path]
        weights = [frame.bytes for frame in task.path]
        profiles.append(
            {
                "type": "sampled",
                "name": f"{task.task} [{task.context}]",
                "unit": "bytes",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": [stack[: i + 1] for i in range(len(stack))],
                "weights": weights,
            }
        )
    return json.dumps(
        {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "name": name,
            "exporter": "blockstack",
            "shared": {"frames": [{"name": n} for n in numbers]},
            "profiles": profiles,
        },
        indent=1,
    )


def _name(frame: Frame) -> str:
    return f"{frame.function} [{frame.layer}]" if frame.layer else frame.function


def _plain(name: str) -> str:
    """Semicolons part frames."""
    return name.replace(";", ":")
