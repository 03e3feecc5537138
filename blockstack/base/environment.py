"""What a call path takes for granted about the machine and its files.

A cut that the kernel's code does not make by itself, but a state of the machine or of a file does,
names that state: ``[iommu=none]`` at the end of its reason. Whatever nobody has told is the deeper
way, so that a bound holds on every machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.hints import check_keys, did_you_mean

_IOMMU = ("any", "none", "intel", "amd")
_CACHED = ("none", "clean", "dirty")


@dataclass(frozen=True)
class Environment:
    """Assumptions; each default is the deeper way.

    Attributes
    ----------
    iommu : {"any", "none", "intel", "amd"}
        Which IOMMU translates what devices read and write (VT-d, AMD-Vi); any: the deeper of them.
    swiotlb : bool
        Buffers may be bounced: encrypted guests (SEV, TDX), devices with a short DMA mask.
    cached_pages : {"none", "clean", "dirty"}
        Pages of the file in the page cache while it is read or written with O_DIRECT.
    sync : bool
        Files may be opened with O_SYNC or O_DSYNC.
    rmapbt : bool
        XFS keeps a reverse map (mkfs.xfs -m rmapbt=1).
    snapshots : bool
        btrfs has snapshots: a tree block may have several owners.
    shared_extents : bool
        Files of XFS share extents (cp --reflink, FICLONE, deduplication).
    create_xattrs : bool
        A new file gets extended attributes: a label (SELinux, Smack) or its folder's default ACL.
    mapped_buffers : bool
        The memory that direct I/O reads into or writes from may be a file's own (mmap), which is
        read first.
    """

    iommu: str = "any"
    swiotlb: bool = True
    cached_pages: str = "dirty"
    sync: bool = True
    rmapbt: bool = True
    snapshots: bool = True
    shared_extents: bool = True
    create_xattrs: bool = True
    mapped_buffers: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value, words = getattr(self, field.name), _WORDS[field.name]
            if words == (False, True) and not isinstance(value, bool):
                raise ConfigError("must be true or false", path=field.name, value=value)
            if value not in words:
                raise ConfigError(
                    "no such word",
                    path=field.name,
                    value=value,
                    hint=did_you_mean(value, [str(word) for word in words], "words"),
                )

    @classmethod
    def from_dict(
        cls,
        table: Mapping[str, Any],
        path: str = "environment",
        base: "Environment | None" = None,
    ) -> "Environment":
        """An environment from a config's table; what it does not say is as in ``base``.

        Raises
        ------
        ConfigError
            A key or a value that there is not.
        """
        check_keys(table, [field.name for field in fields(cls)], path)
        try:
            return replace(base or cls(), **table)
        except ConfigError as error:
            raise ConfigError(
                error.message, path=f"{path}.{error.path}", value=error.value, hint=error.hint
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Every assumption by its key."""
        return asdict(self)

    def words(self) -> dict[str, str]:
        """Every assumption as conditions write it."""
        return {key: _word(value) for key, value in self.to_dict().items()}

    def told(self) -> dict[str, Any]:
        """The assumptions that are not the default: the table that `from_dict` reads."""
        untold = UNTOLD.to_dict()
        return {key: value for key, value in self.to_dict().items() if value != untold[key]}

    def meets(self, condition: str) -> bool:
        """Whether ``condition`` (``"iommu=none|amd, swiotlb=false"``) is so; the empty one is."""
        return all(_word(getattr(self, key)) in words for key, words in _terms(condition))

    def least(self) -> "Environment":
        """The same, with what is untold at its least."""
        return replace(BARE, **self.told())

    def shallower(self) -> Iterator[tuple[str, "Environment"]]:
        """Each assumption that is not at its least by itself: its key, and all else as it is."""
        for key, value in BARE.to_dict().items():
            if getattr(self, key) != value:
                yield key, replace(self, **{key: value})


_WORDS: Mapping[str, tuple[object, ...]] = {
    "iommu": _IOMMU,
    "swiotlb": (False, True),
    "cached_pages": _CACHED,
    "sync": (False, True),
    "rmapbt": (False, True),
    "snapshots": (False, True),
    "shared_extents": (False, True),
    "create_xattrs": (False, True),
    "mapped_buffers": (False, True),
}
#: nothing is told
UNTOLD = Environment()
#: the least of everything: the machine on which the shipped stacks were measured, too
BARE = Environment("none", False, "none", *[False] * 6)


def _word(value: object) -> str:
    """A value as conditions and configs write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _terms(condition: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A condition, read: key and the words of which one must be so."""
    found = []
    for term in filter(None, condition.split(", ")):
        key, _, words = term.partition("=")
        known = {_word(word) for word in _WORDS[key]}
        assert known.issuperset(words.split("|")), condition
        found.append((key, tuple(words.split("|"))))
    return tuple(found)
