"""What would fit if a layer were left out of a chain of calls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from blockstack.results.oops import ExplainedRow, Remedy

#: functions at which one layer hands a bio to the next one, 2.6 to 6.x
_LINKS = frozenset(
    (
        "generic_make_request",
        "submit_bio",
        "submit_bio_noacct",
        "submit_bio_noacct_nocheck",
        "__submit_bio",
        "bio_endio",
    )
)
_OFF = {
    "reclaim": "direct reclaim, and all that it started",
    "scheduler": "the wait or the wake-up, and all that it started",
    "interrupts": "interrupts, on stacks of their own",
}
_MOST = 3  # layers left out at once


@dataclass(frozen=True)
class LeftOut:
    """Rows, outermost first, with what each weighs, against a limit.

    Attributes
    ----------
    rows : sequence of ExplainedRow
    weights : sequence of float
        Bytes of each row.
    used_bytes, target_bytes : int
        The depth, and the limit that it is judged by.
    """

    rows: Sequence[ExplainedRow]
    weights: Sequence[float]
    used_bytes: int
    target_bytes: int

    def remedies(self) -> tuple[Remedy, ...]:
        """Single layers, then the smallest set that fits where none alone does."""
        options = dict(self._options())
        single = [self._remedy((name,), options) for name in options]
        found = sorted(single, key=lambda r: r.left_bytes)
        if not any(r.fits for r in found):
            for count in range(2, min(_MOST, len(options)) + 1):
                sets = (self._remedy(names, options) for names in combinations(options, count))
                fit = [r for r in sets if r.fits]
                if fit:
                    return (*found, max(fit, key=lambda r: r.left_bytes))
        return tuple(found)

    def _remedy(
        self,
        names: tuple[str, ...],
        options: dict[str, tuple[Literal["out", "off"], frozenset[int]]],
    ) -> Remedy:
        gone = frozenset[int]().union(*(options[name][1] for name in names))
        saved = round(sum(self.weights[i] for i in gone))
        left = self.used_bytes - saved
        return Remedy(
            tuple(_OFF.get(n, n) for n in names),
            tuple(options[n][0] for n in names),
            saved,
            left,
            left <= self.target_bytes,
        )

    def _options(self) -> Iterator[tuple[str, tuple[Literal["out", "off"], frozenset[int]]]]:
        """What could be left out, and which rows go with it."""
        count = len(self.rows)
        for layer in dict.fromkeys(r.layer for r in self.rows if r.role == "stacked"):
            gone, off = self._stacked(layer)
            yield layer, ("off" if off else "out", frozenset(gone))
        for role, name in (
            ("reclaim", "reclaim"),
            ("scheduler", "scheduler"),
            ("interrupt", "interrupts"),
        ):
            at = next((i for i, r in enumerate(self.rows) if r.role == role), None)
            if at:
                yield name, ("off", frozenset(range(at, count)))

    def _stacked(self, layer: str) -> tuple[set[int], bool]:
        """Rows of a stacked layer with the link to the next one; all above where none follows."""
        gone: set[int] = set()
        mine = [i for i, r in enumerate(self.rows) if r.layer == layer]
        ends = [a for a, b in pairwise([*mine, len(self.rows) + 1]) if b > a + 1]
        gone.update(mine)
        for end in ends:
            after = end + 1
            while after < len(self.rows) and self.rows[after].function in _LINKS:
                gone.add(after)
                after += 1
            if after == end + 1:  # it allocates, waits or is struck: what follows is its own doing
                gone.update(range(after, len(self.rows)))
                return gone, True
        return gone, False
