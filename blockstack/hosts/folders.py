"""What a sosreport, a capture or a folder of outputs holds, by the names of its files.

sos names a file after the command that wrote it: ``sos_commands/devicemapper/dmsetup_table``.
"""

import re
from collections.abc import Iterator

from blockstack.hosts.formats import FORMATS
from blockstack.hosts.model.tree import Tree

_ENTRIES = tuple(
    (re.compile(rf"(?:.*/)?(?:{form.files})(?:\.txt|\.json)?\Z"), form.name)
    for form in FORMATS
    if form.files
)
#: what an archive's reader must keep
_SYSFS = re.compile(
    r"(?:.*/)?sys/(?:block|class|dev|devices|fs)/.*(?:/(?:size|dev|start|partition|hidden|name|uuid|"
    r"alignment_offset|discard_alignment|level|raid_disks|chunk_size|layout|location|"
    r"metadata_version|backing_file|proc_name|cache_mode|transport)|/queue/[a-z_]+)\Z"
)


def format_of(path: str) -> str | None:
    """The format of a file in a folder of outputs, by its name."""
    for pattern, name in _ENTRIES:
        if pattern.match(path):
            return name
    return None


def wanted(path: str) -> bool:
    """Whether a member of an archive is read at all."""
    return (
        bool(_SYSFS.match(path))
        or format_of(path) is not None
        or (path.count("/") <= 1 and "." in path.rpartition("/")[2])
    )


def known_files(tree: Tree) -> Iterator[tuple[str, str]]:
    """(path, format) of what is known by its name."""
    extra = (
        "proc/self/mountinfo",
        "proc/self/mounts",
        "proc/mounts",
        "proc/swaps",
        "proc/mdstat",
        "proc/version",
        "sos_commands/block/lsblk",
    )
    tops = ["", *(f"{top}/" for top in tree.names("")[:50])]
    found = [f"{top}{name}" for top in tops for name in extra if tree.has(f"{top}{name}")]
    for path in dict.fromkeys((*found, *tree.files())):
        kind = format_of(path)
        if kind is not None:
            yield path, kind
