"""What arrives: bios drawn from fio's words, or given as columns."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.base.hints import check_keys, did_you_mean
from blockstack.base.units import format_bytes, parse_sectors
from blockstack.workload.columns import Columns, make_columns
from blockstack.workload.draw import (
    SEQUENTIAL,
    UNIFORM,
    ZIPF,
    DrawSpec,
    pareto_constants,
    thresholds,
    zipf_constants,
)
from blockstack.workload.sizes import Sizes, parse_bs, parse_bssplit
from blockstack.workload.words import FIO_HINTS, RW_WORDS, check_share, whole

_ZIPF = re.compile(r"zipf:([0-9]{1,3}(?:\.[0-9]{1,9})?)\Z")
_PARETO = re.compile(r"pareto:(0?\.[0-9]{1,9})\Z")
_MAX_BIOS = 10**15


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Bios in fio's words.

    Attributes
    ----------
    rw : str
        ``read``, ``write``, ``trim``, ``rw`` (or ``readwrite``), ``trimwrite``, and the same at
        random: ``randread`` ... ``trimwrite`` is half discards, half writes.
    bs : str or int
        One size or a range ``"4 KiB-1 MiB"``, in steps of its low end, all sizes alike.
    bssplit : str
        ``"4k/60:64k/40"``; takes the place of ``bs``.
    rwmixread : int
        Per cent of reads in a mixed workload.
    direct : bool
        O_DIRECT: the submitting task's own path; else the page cache's.
    fsync : int
        One flush for every so many writes; 0: none.
    fua : float
        Share of the writes that carry preflush and FUA.
    discard : float
        Share of all bios, flushes apart, that are discards instead.
    random_distribution : str
        ``"random"``, ``"zipf:1.1"`` or ``"pareto:0.2"`` (that share of the places gets the rest
        of the accesses: fio's h).
    offset, size : str or int
        Where the bios lie on the root device; bytes or text with a unit. size None: to the end.
    bios : int
        How many.
    seed : int
        Same seed, same bios.
    columns : Columns or None
        Explicit bios; then none of the words above matter but ``direct``.

    Raises
    ------
    ConfigError
        Values that cannot be, with the key's name.
    """

    rw: str = "randread"
    bs: str | int = "4 KiB"
    bssplit: str = ""
    rwmixread: int = 50
    direct: bool = False
    fsync: int = 0
    fua: float = 0.0
    discard: float = 0.0
    random_distribution: str = "random"
    offset: str | int = 0
    size: str | int | None = None
    bios: int = 1_000_000
    seed: int = 0
    columns: Columns | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.rw, str) or self.rw not in RW_WORDS:
            raise ConfigError(
                "unknown word",
                path="rw",
                value=self.rw,
                hint=did_you_mean(self.rw, RW_WORDS, "words"),
            )
        whole(self.rwmixread, "rwmixread", 0, 100)
        whole(self.fsync, "fsync", 0, 2**31)
        whole(self.bios, "bios", 1, _MAX_BIOS)
        whole(self.seed, "seed", 0, 2**64 - 1)
        check_share(self.fua, "fua")
        check_share(self.discard, "discard")
        if not isinstance(self.direct, bool):
            raise ConfigError("must be true or false", path="direct", value=self.direct)
        if not isinstance(self.bssplit, str):
            raise ConfigError(
                "not a table of sizes",
                path="bssplit",
                value=self.bssplit,
                hint='write "4k/60:64k/40"',
            )
        if self.bssplit and self.bs != "4 KiB":
            raise ConfigError(
                "`bs` and `bssplit` exclude each other",
                path="bssplit",
                value=self.bssplit,
                hint="leave one of them out",
            )
        # parsed once here, so that a wrong word fails where it is written
        _ = self.sizes, self.offset_sectors, self.size_sectors, self.zipf_theta
        thresholds(self.op_shares, "op shares")

    @classmethod
    def from_columns(
        cls,
        op: object,
        sector: object,
        nr_sectors: object,
        root: object = None,
        *,
        direct: bool = False,
    ) -> "Workload":
        """A workload of given bios.

        Parameters
        ----------
        op : array_like of str or int, shape (n,)
            Names of `OPS` or their numbers.
        sector, nr_sectors : array_like of int, shape (n,)
            Start and length, in sectors of 512 bytes; a flush has length 0.
        root : array_like of int, shape (n,), or None
            Which of the stack's roots; None: the first.
        direct : bool
            O_DIRECT.

        Raises
        ------
        ConfigError
            No bios, arrays of several lengths, values that cannot be.
        """
        columns = make_columns(op, sector, nr_sectors, root)
        if not len(columns):
            raise ConfigError("has no bios", path="workload.op")
        return cls(columns=columns, bios=len(columns), direct=direct)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any], path: str = "workload") -> "Workload":
        """A workload from a config's table.

        Raises
        ------
        ConfigError
            Unknown keys, values that cannot be; paths start with ``path``.
        """
        known = [f.name for f in fields(cls) if f.name != "columns"]
        for key, hint in FIO_HINTS.items():
            if key in table:
                raise ConfigError("unknown key", path=f"{path}.{key}", value=table[key], hint=hint)
        check_keys(table, known, path)
        try:
            return cls(**table)
        except BlockstackError as error:
            inner = f"{path}.{error.path}" if error.path else path
            raise ConfigError(
                error.message, path=inner, value=error.value, hint=error.hint
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """What a config says: the keys that differ from their defaults, and ``rw``.

        Raises
        ------
        ConfigError
            Columns, which no config holds.
        """
        if self.columns is not None:
            raise ConfigError(
                "columns cannot be written to a config",
                path="workload.columns",
                hint="save the arrays with numpy",
            )
        given = asdict(self)
        return {
            f.name: given[f.name]
            for f in fields(self)
            if f.name == "rw" or given[f.name] != f.default
        }

    @cached_property
    def sizes(self) -> Sizes:
        """Bio sizes in sectors."""
        return parse_bssplit(self.bssplit) if self.bssplit else parse_bs(self.bs)

    @cached_property
    def offset_sectors(self) -> int:
        """Where the bios begin on the root device; the generator adds it to every sector."""
        return parse_sectors(self.offset, "offset")

    @cached_property
    def size_sectors(self) -> int | None:
        """How much of the root device is used; None: all after the offset."""
        if self.size is None:
            return None
        sectors = parse_sectors(self.size, "size")
        if not sectors:
            raise ConfigError("has no sectors", path="size", value=self.size)
        return sectors

    @cached_property
    def zipf_theta(self) -> float | None:
        """Exponent of the zipf distribution; None: uniform or pareto."""
        word = self.random_distribution
        if word == "random" or self.pareto_h is not None:
            return None
        match = _ZIPF.match(word) if isinstance(word, str) else None
        if match is None or not 0 < float(match[1]) <= 20 or float(match[1]) == 1:
            raise ConfigError(
                "unknown distribution",
                path="random_distribution",
                value=word,
                hint='"random", "zipf:1.1" (theta above 0, at most 20, not 1) or '
                '"pareto:0.2" (above 0, below 1)',
            )
        self._check_random()
        return float(match[1])

    @cached_property
    def pareto_h(self) -> float | None:
        """fio's h of the pareto distribution; None: another."""
        word = self.random_distribution
        match = _PARETO.match(word) if isinstance(word, str) else None
        if match is None or not float(match[1]):
            return None
        self._check_random()
        return float(match[1])

    def _check_random(self) -> None:
        if not self.is_random:
            raise ConfigError(
                "only for random workloads",
                path="random_distribution",
                value=self.random_distribution,
                hint=f'write rw = "rand{self.rw}" or leave it out',
            )

    @property
    def is_random(self) -> bool:
        """Whether the word is one of fio's random ones."""
        return self.rw.startswith("rand")

    @property
    def op_shares(self) -> tuple[Fraction, ...]:
        """Exact shares of read, write, flush, discard and fua; they sum to 1.

        One flush comes for every ``fsync`` writes (FUA or not), so ``w`` writes among one bio
        make ``w / fsync`` flushes, and all is divided by ``1 + w / fsync``.
        """
        word = RW_WORDS[self.rw]
        read = {"r": Fraction(1), "rw": Fraction(self.rwmixread, 100)}.get(word, Fraction(0))
        trim = {"d": Fraction(1), "dw": Fraction(1, 2)}.get(word, Fraction(0))
        # str: the share that the config says, 0.1 and not the double next to it
        replaced = Fraction(str(self.discard))
        write = (1 - read - trim) * (1 - replaced)
        read, trim = read * (1 - replaced), trim + (1 - trim) * replaced
        fua = write * Fraction(str(self.fua))
        flush = write / self.fsync if self.fsync else Fraction(0)
        return tuple(x / (1 + flush) for x in (read, write - fua, flush, trim, fua))

    def draw_spec(
        self, capacity_sectors: int | Sequence[int] | NDArray[np.int64], seed: int | None = None
    ) -> DrawSpec:
        """The generator's numbers for roots of the given sizes.

        Parameters
        ----------
        capacity_sectors : int or sequence of int
            Size of each root device in sectors. ``offset`` and ``size`` are taken off here; the
            generator adds `offset_sectors` to every sector that is drawn.
        seed : int, optional
            Takes the place of the workload's own.

        Returns
        -------
        DrawSpec
            A sequential workload goes on by the mean size (rounded up to the alignment) and
            starts again where its largest bio would pass the smallest root's end. Sectors are
            multiples of the smallest size.

        Raises
        ------
        ConfigError
            A bio that is larger than a root; a workload that has columns.
        """
        if self.columns is not None:
            raise ConfigError("columns are given, nothing is drawn", path="workload.columns")
        return self._spec(
            self._capacity(capacity_sectors),
            self.seed if seed is None else whole(seed, "seed", 0, 2**64 - 1),
        )

    def _spec(self, capacity: NDArray[np.int64], seed: int) -> DrawSpec:
        smallest = int(capacity.min())
        sizes, shares = self.sizes, self.op_shares
        align = sizes.low_sectors
        stride = -(-math.ceil(sizes.mean_sectors) // align) * align
        span = max((smallest - sizes.high_sectors) // align * align + align, align)
        blocks, theta, h = smallest // align, self.zipf_theta, self.pareto_h
        pattern = (
            SEQUENTIAL if not self.is_random else UNIFORM if theta is None and h is None else ZIPF
        )
        zipf = (
            zipf_constants(blocks, theta)
            if theta is not None
            else pareto_constants(h)
            if h is not None
            else (0.0, 0.0, 0.0)
        )
        table = sizes.table or ((align, Fraction(1)),)
        return DrawSpec(
            seed=seed,
            op_threshold=thresholds(shares, "op shares"),
            op_first=next(op for op, share in enumerate(shares) if share),
            size_mode=0 if sizes.table else 1,
            size_threshold=thresholds([share for _, share in table], "bssplit"),
            size_sectors=np.array([size for size, _ in table], np.uint32),
            size_lo=align,
            size_step=align,
            size_count=sizes.count,
            pattern=pattern,
            align_sectors=align,
            stride_sectors=stride,
            span_sectors=span,
            zipf_n=blocks,
            zipf_theta=theta or 0.0,
            zipf_zetan=zipf[0],
            zipf_eta=zipf[1],
            zipf_alpha=zipf[2],
            capacity_sectors=capacity,
            offset_sectors=self.offset_sectors,
        )

    def _capacity(self, sectors: int | Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """What each root offers after offset and size, checked against the largest bio."""
        capacity = np.atleast_1d(np.asarray(sectors, np.int64)) - self.offset_sectors
        if not capacity.size:
            raise ConfigError("the stack has no roots", path="workload")
        if int(capacity.min()) <= 0:
            raise ConfigError(
                "is beyond the end of the device",
                path="workload.offset",
                value=self.offset,
                hint="use less than "
                + format_bytes((int(capacity.min()) + self.offset_sectors) * 512),
            )
        if self.size_sectors is not None:
            if self.size_sectors > int(capacity.min()):
                raise ConfigError(
                    "is larger than the device",
                    path="workload.size",
                    value=self.size,
                    hint=f"at most {format_bytes(int(capacity.min()) * 512)}",
                )
            capacity = np.minimum(capacity, self.size_sectors)
        smallest = int(capacity.min())
        largest = self.sizes.high_sectors
        if largest > smallest:
            key = "bssplit" if self.bssplit else "bs"
            raise ConfigError(
                f"the largest bio ({format_bytes(largest * 512)}) is larger than the device "
                f"({format_bytes(smallest * 512)})",
                path=f"workload.{key}",
                value=self.bssplit or self.bs,
                hint="use smaller bios or a larger device",
            )
        return np.ascontiguousarray(capacity)
