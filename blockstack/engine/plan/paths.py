"""A call path whose parts belong to layers: what a depth is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from blockstack.kernel import CallPath, Step
from blockstack.results.result import Frame


@dataclass(frozen=True)
class LayeredPath:
    """Parts of a path, outermost first, each with the layer (device or source) it serves."""

    parts: tuple[tuple[str, CallPath], ...] = ()

    @cached_property
    def bytes(self) -> int:
        """Sum over all parts."""
        return sum(path.bytes for _, path in self.parts)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """What the frame table lacks on the path."""
        return tuple(dict.fromkeys(m for _, path in self.parts for m in path.missing))

    @property
    def exact(self) -> bool:
        """Nothing is missing."""
        return not self.missing

    def lacking(self, names: Iterable[str]) -> "LayeredPath":
        """The same path, a lower bound because of ``names``, too."""
        more = tuple(n for n in dict.fromkeys(names) if n not in self.missing)
        return self + layered("", CallPath((), more)) if more else self

    def __add__(self, other: "LayeredPath") -> "LayeredPath":
        """Both, one after the other; sums are carried on: stacks have thousands of layers."""
        whole = LayeredPath(self.parts + other.parts)
        whole.__dict__["bytes"] = self.bytes + other.bytes
        whole.__dict__["missing"] = (
            tuple(dict.fromkeys(self.missing + other.missing)) if other.missing else self.missing
        )
        return whole

    def frames(self) -> tuple[Frame, ...]:
        """Rows of the stack; functions that keep nothing (tail calls) are left out."""
        return tuple(
            Frame(step.function, step.bytes, layer, step.source)
            for layer, path in self.parts
            for step in path.steps
            if step.bytes or step.source == "assumed"
        )


def deepest(paths: Iterable[LayeredPath]) -> LayeredPath:
    """The path with most bytes; what is unknown of any of them may be deeper still."""
    found = list(paths)
    best = max(found, key=lambda p: p.bytes, default=LayeredPath())
    return best.lacking(name for path in found for name in path.missing)


def layered(layer: str, path: CallPath) -> LayeredPath:
    """One part."""
    return LayeredPath(((layer, path),))


def self_calls(layer: str, n_bytes: int) -> LayeredPath:
    """Frames of a driver that calls itself for each further piece of a cut bio (md of 2.6)."""
    return layered(layer, CallPath((Step("the driver calls itself for the second half", n_bytes),)))
