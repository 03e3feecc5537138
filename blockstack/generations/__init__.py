"""Kernel generations by name, oldest first: one file each, and whatever is looked up by them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from blockstack.base.errors import BlockstackError
from blockstack.generations.between import LIMITS_BETWEEN
from blockstack.generations.model import Generation, Root, StackRules

__all__ = [
    "GENERATIONS",
    "Generation",
    "Root",
    "StackRules",
    "generation",
    "generation_of",
    "generations_with",
    "in_generation",
    "limits_read",
    "lineage",
]

_T = TypeVar("_T")


def _with_names_to_come(*read: Generation) -> dict[str, Generation]:
    """A kernel between two generations has some of the later one's names already."""
    found = {}
    for gen in read:
        nearer = [g for g in reversed(read) if gen.name in g.lineage]
        found[gen.name] = replace(
            gen,
            renames={name: new for g in nearer for name, new in g.renames.items()},
            gone={name: why for g in nearer for name, why in g.gone.items()},
        )
    return found


def _read() -> tuple[Generation, ...]:
    """What the files of this folder hold, oldest first: ``v6_12.py`` has ``V6_12``."""
    files = [
        info.name for info in iter_modules(__path__) if re.fullmatch(r"v\d+(_\d+)*", info.name)
    ]
    files.sort(key=lambda name: [int(part) for part in name[1:].split("_")])
    return tuple(getattr(import_module(f"{__name__}.{name}"), name.upper()) for name in files)


GENERATIONS: Mapping[str, Generation] = _with_names_to_come(*_read())


def generation(name: str) -> Generation:
    """The generation called ``name``.

    Raises
    ------
    BlockstackError
        No such generation.
    """
    if name not in GENERATIONS:
        raise BlockstackError(
            "no such kernel generation",
            path="generation",
            value=name,
            hint="known: " + ", ".join(GENERATIONS),
        )
    return GENERATIONS[name]


def lineage(name: str) -> tuple[str, ...]:
    """A generation and those that it stands on, nearest first."""
    return GENERATIONS[name].lineage if name in GENERATIONS else (name,)


def in_generation(rows: Mapping[str, _T], name: str) -> _T | None:
    """What ``rows`` has for a generation, or for the nearest one that it stands on."""
    return next((rows[one] for one in lineage(name) if one in rows), None)


def generations_with(rows: Mapping[str, object]) -> tuple[str, ...]:
    """The generations that ``rows`` has something for."""
    return (*rows, *(g for g in GENERATIONS if g not in rows and {*lineage(g)} & {*rows}))


def limits_read() -> Mapping[str, StackRules]:
    """How queue limits stack, by the kernel whose source was read."""
    return {**{name: gen.limits for name, gen in GENERATIONS.items()}, **LIMITS_BETWEEN}


def generation_of(version: tuple[int, ...]) -> Generation | None:
    """The generation of a kernel version; None: no generation has its links.

    A version in whose source the anchors were not read is in `Generation.doubt`.
    """
    spanned = [
        (low, gen)
        for gen in GENERATIONS.values()
        for low, high in gen.spans
        if low <= version < high
    ]
    # a child's span may lie in its parent's open one: the span that begins last is the nearest
    gen = max(spanned, key=lambda row: row[0])[1] if spanned else None
    if gen is None:
        return None
    if any(version[: len(read)] == read for read in gen.read_in):
        return gen
    read, asked = (".".join(map(str, v)) for v in (gen.read_in[0], version[: 3 - (version[0] > 2)]))
    other = f"calls between layers were read in Linux {read}, assumed of {asked}"
    return replace(gen, doubt="; ".join(filter(None, (gen.doubt, other))))
