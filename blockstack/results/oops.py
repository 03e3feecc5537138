"""What an explained stack trace holds: rows with their layers, costs, limits, what to leave out."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class ExplainedRow:
    """One row of an oops.

    Attributes
    ----------
    function, module, layer, role : str
        ``role`` as in `blockstack.kernel.owners`.
    told_by : {"file", "registry", "module", "name", "unknown"}
        What told the layer.
    depth_bytes, bytes : int or None
        As reported.
    static_bytes : int or None
        What the named kernel keeps there; None: it has no such function.
    static_how : str
        ``call``, ``tail``, ``pointer``, ``frame``, ``root`` or ``missing``.
    stack_pointer : str
        In the row itself, hexadecimal; empty: the report has none there.
    """

    function: str
    module: str
    layer: str
    role: str
    told_by: str
    depth_bytes: int | None
    bytes: int | None
    static_bytes: int | None
    static_how: str
    stack_pointer: str = ""


@dataclass(frozen=True)
class Recursion:
    """Functions that stand in the chain ``times`` times, and what one turn keeps."""

    functions: tuple[str, ...]
    times: int
    turn_bytes: int


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs: reported and static bytes over its rows; ``visits`` separate runs."""

    layer: str
    role: str
    bytes: int | None
    static_bytes: int
    rows: int
    visits: int


@dataclass(frozen=True)
class SizeVerdict:
    """Whether the oops fits a stack of one size; ``used_bytes`` without interrupts where that
    size has stacks of their own for them."""

    thread_size_bytes: int
    limit_bytes: int
    used_bytes: int
    fits: bool | None
    note: str = ""


@dataclass(frozen=True)
class Remedy:
    """Layers left out, and what is left of the depth.

    ``how``: ``out``: their own rows go; ``off``: so does everything that they called.
    """

    layers: tuple[str, ...]
    how: tuple[Literal["out", "off"], ...]
    saves_bytes: int
    left_bytes: int
    fits: bool


@dataclass(frozen=True)
class OopsExplanation:
    """One oops, explained.

    Attributes
    ----------
    form : {"table", "calls", "frames", "stated"}
    kernel : str
        Whose frame table the static bytes are from; empty: none.
    known, of : int
        Rows that it has, of all.
    used_bytes : int or None
        Reported depth, or what a stack pointer or the bytes left amount to, or the static sum;
        None for a list, and where nothing tells.
    used_source : {"reported", "stack pointer", "bytes left", "overflow", "static", ""}
    static_bytes : int
    exact : bool
        ``used_bytes`` is no lower bound.
    limit_bytes : int or None
    fits : bool or None
    rows : tuple of ExplainedRow
        Innermost first, as kernels print them.
    layers : tuple of LayerCost
        The costliest first.
    remedies : tuple of Remedy
        Single layers, then the smallest set that fits ``target_bytes`` where none alone does.
    target_bytes : int or None
        The limit that they are judged by: the one that is passed, or the largest of smaller
        stacks'.
    arch : str
        Of the report; empty: nothing in it tells.
    overflowed : bool
        The report states, or its registers show, that the stack was too small.
    explained_bytes, unexplained_bytes : int or None
        What the rows keep, and what no row explains, of a depth that the report proves.
    recursion : tuple of Recursion
    """

    form: str
    line: int
    title: str
    kernel: str
    known: int
    of: int
    used_bytes: int | None
    used_source: str
    static_bytes: int
    exact: bool
    thread_size_bytes: int | None
    limit_bytes: int | None
    fits: bool | None
    rows: tuple[ExplainedRow, ...]
    layers: tuple[LayerCost, ...]
    sizes: tuple[SizeVerdict, ...]
    remedies: tuple[Remedy, ...]
    target_bytes: int | None
    notes: tuple[str, ...]
    arch: str = ""
    overflowed: bool = False
    explained_bytes: int | None = None
    unexplained_bytes: int | None = None
    recursion: tuple[Recursion, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)
