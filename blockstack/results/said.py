"""What a depth says of itself in a sentence and a few rows."""

from typing import Any

from blockstack.base.shown import Listing, Shown


def at_least(exact: bool) -> str:
    """The words before a depth that is a lower bound."""
    return "" if exact else "at least "


def verdict(fits: bool | None, over_bytes: int = 0) -> str:
    """The three answers in words."""
    if fits is None:
        return "cannot tell"
    return "fits" if fits else f"overflows by {over_bytes:,} bytes"


class SaysTask(Shown):
    """One task: its verdict, and the rows of its path."""

    def headline(self) -> str:
        """``write fs fits: 1,936 of 4,040 bytes``."""
        task: Any = self
        return (
            f"{task.task} {verdict(task.fits, -task.headroom_bytes)}: "
            f"{at_least(task.exact)}{task.peak_bytes:,} of {task.limit_bytes:,} bytes"
        )

    def listing(self) -> Listing:
        """Frames, outermost first."""
        task: Any = self
        rows = [(f.function, f"{f.bytes:,}", f.layer, f.source) for f in task.path]
        return Listing(("function", "bytes", "layer", "source"), rows)


class SaysDepth(Shown):
    """A run or an explanation: its verdict, and a row a task, the deepest first."""

    def headline(self) -> str:
        """``fits on linux-6.1-x86_64, two-list: 5,560 of 16,376 bytes in write fs, ...``."""
        found: Any = self
        worst = found.worst
        tasks = f"the deepest of {len(found.tasks)} tasks" if len(found.tasks) > 1 else "one task"
        return (
            f"{verdict(found.fits, -worst.headroom_bytes)} on {found.kernel}, "
            f"{found.submission}: {at_least(worst.exact)}{worst.peak_bytes:,} of "
            f"{worst.limit_bytes:,} bytes in {worst.task}, {tasks}"
        )

    def listing(self) -> Listing:
        """Tasks by headroom, with the share of its stack that each takes."""
        found: Any = self
        tasks = sorted(found.tasks, key=lambda t: t.headroom_bytes)
        rows = [
            (
                t.task,
                t.context,
                f"{at_least(t.exact)}{t.peak_bytes:,}",
                f"{t.limit_bytes:,}",
                verdict(t.fits, -t.headroom_bytes),
            )
            for t in tasks
        ]
        shares = [t.peak_bytes / t.limit_bytes for t in tasks]
        return Listing(
            ("task", "context", "bytes", "limit", "verdict"), rows, shares, [t.fits for t in tasks]
        )
