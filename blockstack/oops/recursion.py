"""Functions that stand in a chain of calls more than once."""

from collections.abc import Sequence

from blockstack.results.oops import ExplainedRow, Recursion

_LONGEST = 64  # rows of one turn


def recursions(rows: Sequence[ExplainedRow]) -> tuple[Recursion, ...]:
    """Turns that follow each other, then the other functions that repeat, by how often.

    Parameters
    ----------
    rows : sequence of ExplainedRow
        Innermost first, as kernels print them.
    """
    names = [row.function for row in rows]
    found, covered, at = [], set[str](), 0
    while at < len(names):
        length, times = _turns(names, at)
        if times > 1 and not names[at].startswith("0x"):
            turn = tuple(names[at : at + length])
            found.append(Recursion(turn, times, _bytes(rows[at : at + length * times], times)))
            covered.update(turn)
        at += length * times
    by_times: dict[int, list[str]] = {}
    for name in dict.fromkeys(names):
        times = names.count(name)
        if times > 1 and name not in covered and not name.startswith("0x"):
            by_times.setdefault(times, []).append(name)
    for times, repeated in sorted(by_times.items(), reverse=True):
        mine = [row for row in rows if row.function in repeated]
        found.append(Recursion(tuple(repeated), times, _bytes(mine, times)))
    return tuple(found)


def _turns(names: Sequence[str], at: int) -> tuple[int, int]:
    """The turn that begins there and covers most rows, and how often it follows itself."""
    best = (1, 1)
    for length in range(1, min(_LONGEST, (len(names) - at) // 2) + 1):
        turn, times = names[at : at + length], 1
        while names[at + times * length : at + (times + 1) * length] == turn:
            times += 1
        if times > 1 and length * times > best[0] * best[1]:
            best = (length, times)
    return best


def _bytes(rows: Sequence[ExplainedRow], times: int) -> int:
    """What one turn keeps, as far as the rows tell."""
    kept = sum(r.static_bytes or 0 if r.bytes is None else r.bytes for r in rows)
    return round(kept / times)
