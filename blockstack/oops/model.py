"""Reports of stacks as they stand in a text: rows, and what is stated beside them."""

from dataclasses import dataclass, field
from typing import Literal

from blockstack.oops.stated import Stated

Form = Literal["table", "calls", "frames", "stated"]


@dataclass(frozen=True)
class OopsRow:
    """One row, as it stands in the text.

    Attributes
    ----------
    function : str
        Name, with what gcc appended; ``0x...`` where the kernel had no name.
    line : int
        Line number.
    depth_bytes, bytes : int or None
        ``Depth`` and ``Size`` of a stack tracer's table.
    module : str
    stale : bool
        The kernel marked it "?": an address that lies on the stack and may be no caller.
    """

    function: str
    line: int
    depth_bytes: int | None = None
    bytes: int | None = None
    module: str = ""
    stale: bool = False
    stack_pointer: int | None = None
    stack: str = ""
    in_prologue: bool = False


@dataclass(frozen=True)
class Oops:
    """One oops.

    Attributes
    ----------
    form : {"table", "calls", "frames", "stated"}
        A stack tracer's table; a chain of calls without sizes; a list of frames, no path; a
        statement of the depth without rows.
    rows : tuple of OopsRow
        Innermost first, as kernels print them.
    stated : Stated
        What the text says beside the rows.
    gaps : tuple of (row, bytes or None)
        Where rows were left out: after which row, and what they keep (from the depths).
    whole : bool
        Nothing was left out, as far as the rows tell.
    notes : tuple of str
    line : int
        Where it starts.
    arch : str
        As the text says, its registers or addresses show; empty: nothing tells.
    """

    form: Form
    rows: tuple[OopsRow, ...]
    stated: Stated = field(default_factory=Stated)
    gaps: tuple[tuple[int, int | None], ...] = ()
    whole: bool = True
    notes: tuple[str, ...] = ()
    line: int = 0
    arch: str = ""

    @property
    def switches_stacks(self) -> bool:
        """Some rows stand on another stack than the task's."""
        return any(row.stack for row in self.rows)

    @property
    def used_bytes(self) -> int | None:
        """Depth that the tracer reported; None: the rows have no sizes."""
        return self.rows[0].depth_bytes if self.form == "table" else None
