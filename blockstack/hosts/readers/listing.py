"""Trees that come as text: ``ls -lanR /sys/block`` (sos, lvmdump) and a capture's sysfs lines."""

import posixpath
import re

from blockstack.hosts.model.facts import CAPTURE
from blockstack.hosts.model.host import Host, SourceError
from blockstack.hosts.model.tree import MemoryTree
from blockstack.hosts.readers import sysfs

_FOLDER = re.compile(r"(/sys[^:\n]*):\Z")
_LINK = re.compile(r"l[rwx-]{9}\S*\s.*?\s(\S+) -> (\S+)\Z")
_DIR = re.compile(r"d[rwx-]{9}\S*\s.*?\s(\S+)\Z")


def read_ls(text: str, host: Host) -> None:
    """Links and folders of ``ls -lanR``: what stands on what, and no figure."""
    tree = MemoryTree("ls -lanR /sys/block")
    at = ""
    for line in text.splitlines():
        folder = _FOLDER.match(line)
        if folder:
            at = folder[1].strip("/")
            tree.add_folder(at)
            continue
        link, inner = _LINK.match(line), _DIR.match(line)
        if at and link:
            tree.add_link(f"{at}/{link[1]}", link[2])
        elif at and inner and inner[1] not in (".", ".."):
            tree.add_folder(f"{at}/{inner[1]}")
    for name in tree.names("sys/block"):  # a listing that does not follow the links
        target = tree.link(f"sys/block/{name}")
        if target and not tree.resolve(f"sys/block/{name}"):
            tree.add_folder(posixpath.normpath(f"sys/block/{target}"))
    _partitions(tree)
    if not tree.names("sys/block"):
        raise SourceError("no listing of /sys/block", hint="take: ls -lanR /sys/block")
    sysfs.read(tree.below("sys"), host)


def _partitions(tree: MemoryTree) -> None:
    """A listing shows attributes as entries, without content: a folder with ``start`` or named
    after its disk is a partition."""
    for name in tree.names("sys/block"):
        at = tree.resolve(f"sys/block/{name}")
        for inner in tree.names(at or ""):
            if (
                at
                and inner != name
                and inner.startswith(name)
                and re.fullmatch(r"p?\d+", inner.removeprefix(name))
            ):
                tree.add_file(f"{at}/{inner}/partition", b"")


def read_lines(text: str, host: Host) -> None:
    """A capture's sysfs: ``path=value`` per attribute, ``path -> target`` per link."""
    tree = MemoryTree("capture")
    for line in text.splitlines():
        path, arrow, target = line.partition(" -> ")
        if not arrow:
            path, _, value = line.partition("=")
        clean = posixpath.normpath(path.strip("/"))
        if not path.startswith("/sys/") or clean.startswith(".."):
            continue
        if arrow:
            tree.add_link(clean, target)
        else:
            tree.add_file(clean, value.encode("utf-8", "replace"))
    if not tree.names("sys"):
        raise SourceError("no sysfs in this capture", hint="make it with: blockstack capture | sh")
    sysfs.read(tree.below("sys"), host, CAPTURE)
