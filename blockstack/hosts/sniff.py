"""Sources as users give them: what each is, and all that they say of one host.

A source is a file, a folder, an archive, ``-`` (standard input) or ``/sys`` itself.
"""

import os
import re
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

from blockstack.base.errors import BlockstackError
from blockstack.hosts import folders
from blockstack.hosts.formats import HEAD, by_name, recognise
from blockstack.hosts.model.host import Contradiction, Host, SourceError
from blockstack.hosts.model.tree import FolderTree, Tree, bounded, decode, read_archive
from blockstack.hosts.readers import sysfs

_ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
MAX_FILES = 2_000

#: what may be a key of dm-crypt is not repeated in an error
_KEY = re.compile(r"[0-9a-fA-F]{32,}")


def is_source(path: str | Path) -> bool:
    """Whether a path is a host's description rather than a config."""
    if str(path) == "-":
        return True
    try:
        where = Path(path)
        if where.is_dir():
            return True
        if where.suffix == ".toml" or not where.is_file():
            return False
        with where.open("rb") as stream:
            head = stream.read(HEAD)
    except (OSError, ValueError):
        return False
    return (
        head.startswith(_ARCHIVES)
        or head[257:262] == b"ustar"
        or recognise(decode(head)) is not None
    )


def read_sources(sources: Iterable[str | Path]) -> Host:
    """Everything that the sources say about one host.

    Parameters
    ----------
    sources : iterable of str or Path
        Files, folders, tar archives, ``/sys``; ``-`` is standard input.

    Raises
    ------
    BlockstackError
        Unreadable, of no known format, damaged, or not of one host.
    """
    host = Host()
    for source in sources:
        try:
            _read(str(source), host)
        except BlockstackError as error:
            raise error.under(str(source)) from error
    if not host.sources:
        raise SourceError(
            "nothing to read",
            path="SOURCE",
            hint="give /sys, a sosreport, or the output of lsblk --json -O -b",
        )
    return host


def _read(source: str, host: Host) -> None:
    if source == "-":
        read_text(decode(bounded(sys.stdin.buffer.read((64 << 20) + 1), "-")), host, "-")
        return
    path = Path(source)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            here = os.path.realpath(path) in ("/sys", "/")
            tree: Tree = FolderTree(Path("/sys") if here else path)
            read_tree(tree, host)
            if here:
                _running(host)
            return
        if not stat.S_ISREG(mode):
            raise SourceError("neither a file nor a folder", hint="give a regular file")
        with path.open("rb") as stream:
            head = stream.read(512)
            if head.startswith(_ARCHIVES) or head[257:262] == b"ustar":
                read_tree(read_archive(path, folders.wanted), host)
                return
            raw = head + stream.read((64 << 20) + 1)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        if isinstance(error, BlockstackError):
            raise
        raise SourceError("not a file name") from error
    read_text(decode(bounded(raw, source)), host, source)


def read_text(text: str, host: Host, source: str, kind: str = "") -> None:
    """One text, recognised by its content, else of the format that its file's name says."""
    found = recognise(text) or by_name(kind)
    if found is None:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        raise SourceError(
            "is of no format that is read here",
            value=_KEY.sub("…", first)[:80],
            hint="take the output of lsblk --json -O -b, dmsetup table or another "
            "tool that docs/import.md lists; or give /sys, a sosreport, a capture",
        )
    found.read(text, host)
    host.sources.append(f"{found.name}: {source}")


def read_tree(tree: Tree, host: Host) -> None:
    """sysfs in a tree, the files that are known by name, else each file by its content."""
    found = False
    where = sysfs.looks(tree)
    if where is not None:
        sysfs.read(tree.below(where), host)
        host.sources.append(f"sysfs: {tree.name}{'/' + where if where else ''}")
        found = True
    if where != "":  # below /sys itself there are no outputs
        found |= _known(tree, host)
    if where is None:
        found |= _by_content(tree, host)
    if not found:
        raise SourceError(
            "holds nothing that is read here",
            hint="a sosreport, a dump of /sys, a "
            "capture, or a folder with the outputs of lsblk, dmsetup, ...",
        )


def _known(tree: Tree, host: Host) -> bool:
    found = False
    for path, kind in folders.known_files(tree):
        text = tree.text(path)
        if not text:
            continue
        try:
            read_text(text, host, f"{tree.name}/{path}", kind)
            found = True
        except SourceError as error:
            if isinstance(error, Contradiction):
                raise error.under(path) from error
            _unread(path, text, error, host)
    return found


#: what a command says that did not run, in the file that sos or a user made of its output
_NOT_RUN = re.compile(
    r"command not found|No such file or directory|[Pp]ermission denied|timed out"
    r"|unrecognized option|invalid option|must be (run as )?root|^usage:"
)


def _unread(path: str, text: str, error: SourceError, host: Host) -> None:
    """A file of a folder that cannot be read: what it describes is missing.

    A command that did not run, or one whose output tells nothing of devices, describes nothing.
    """
    found = recognise(text)
    says_nothing = len(text) < 2_000 and _NOT_RUN.search(text)
    if says_nothing or (found is not None and not found.gives):
        host.note(f"{path}: passed over: {error.message}")
    else:
        host.lost[path] = f"cannot be read: {error.message}"


def _by_content(tree: Tree, host: Host) -> bool:
    """Files at the top whose names say nothing."""
    found, first = False, None
    for number, path in enumerate(p for p in tree.files(2) if folders.format_of(p) is None):
        if number >= MAX_FILES:
            raise SourceError("too many files", hint="name the files instead of their folder")
        text = tree.text(path)
        if text and recognise(text):
            try:
                read_text(text, host, f"{tree.name}/{path}")
                found = True
            except SourceError as error:
                if isinstance(error, Contradiction):
                    raise error.under(path) from error
                first = first or error.under(path)
                _unread(path, text, error, host)
        else:
            host.note(f"{path}: of no format that is read here; passed over")
    if first is not None and not found and not host.sources:
        raise first
    return found


def _running(host: Host) -> None:
    """A live /sys: this machine's kernel, mounts and swaps come with it."""
    name = os.uname()
    host.release, host.machine, host.name = name.release, name.machine, name.nodename
    host.real_time = "PREEMPT_RT" in name.version
    for path, kind in (
        ("proc/self/mountinfo", "mountinfo"),
        ("proc/swaps", "swaps"),
        ("proc/mdstat", "mdstat"),
    ):
        try:
            text = decode(Path("/", path).read_bytes())
        except OSError:
            continue
        if text.strip():
            read_text(text, host, f"/{path}", kind)
