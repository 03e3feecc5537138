"""``dmsetup table``, ``info -c``, ``deps`` and ``ls --tree``.

A crypt target's line carries its key, or the key's name in a keyring. It is cut out while a line
is read: nothing that leaves this module holds it, error messages included.
"""

import re

from blockstack.hosts.model.facts import DMSETUP, Facts
from blockstack.hosts.model.host import Host, Node, SourceError
from blockstack.hosts.model.naming import is_kernel_name

_ROW = re.compile(
    r"(?:(?P<name>.+?): )?(?P<start>\d{1,18}) (?P<length>\d{1,18}) "
    r"(?P<target>[A-Za-z0-9_-]+)(?: (?P<args>.*))?\Z"
)
_NUMBER = re.compile(r"\d{1,8}:\d{1,8}\Z")
_DEPS = re.compile(r"(?:(?P<name>.+?): )?\d+ dependenc(?:y|ies)\s*:\s*(?P<on>.*)\Z")
_LEAF = re.compile(r"\((\d{1,8})(?:, |:)(\d{1,8})\)\Z")
_INFO = re.compile(r"\s*(\S.*?)\s+(\d{1,8})\s+(\d{1,8})\s+\S+\s+\d+\s+\d+\s+\d+\s*(\S*)")
_CIPHER = re.compile(r"(capi:\S+|[a-z][a-z0-9_.]*(:[a-z0-9]+)?-\S+)\Z")  # not a hex or keyring key
KEY = "-"  # stands where the key was


def read_table(text: str, host: Host, only: str = "") -> None:
    """``dmsetup table``; ``only`` names the device when the lines do not."""
    tables: dict[str, list[list[str]]] = {}
    empty: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        clean = line.rstrip()
        if not clean or clean == "No devices found":
            continue
        match = _ROW.match(clean)
        if match is None:
            if re.fullmatch(r"[^:\n]+:\s*", clean):  # a device without a table
                empty.append(clean.rstrip().removesuffix(":"))
                continue
            raise SourceError(
                "dmsetup table: not a row of a table",
                path=f"line {number}",
                hint="take it with: dmsetup table",
            )
        name = match["name"] or only
        if not name:
            raise SourceError(
                "dmsetup table: rows without the device's name",
                path=f"line {number}",
                hint="take it with: dmsetup table, without a device's name",
            )
        tables.setdefault(name, []).append(
            row_of(match["start"], match["length"], match["target"], match["args"] or "")
        )
    for name, rows in tables.items():
        node = host.node(f"mapper/{name}")
        for row in rows:
            for word in row[3:]:
                if _NUMBER.match(word):
                    host.node(word)
        node.tell(DMSETUP, Facts(table=rows, size_sectors=sum(int(r[1]) for r in rows)))
    for name in empty:
        host.note(f"{name}: has no dm table (suspended or never loaded)")
        host.node(f"mapper/{name}").tell(DMSETUP, Facts(dm_empty=True))


def row_of(start: str, length: str, target: str, args: str) -> list[str]:
    """A row's words, a crypt target's key cut out."""
    words = args.split()
    if target == "crypt":
        words[1:2] = [KEY] if len(words) > 1 else []
        if words and not _CIPHER.match(words[0]):  # the cipher is missing: this may be the key
            words[0] = KEY
    return [start, length, target, *words]


def read_info(text: str, host: Host) -> None:
    """``dmsetup info -c``: names and numbers."""
    lines = text.splitlines()
    head = next((i for i, line in enumerate(lines) if re.match(r"\s*Name\s+Maj\s+Min", line)), None)
    if head is None:
        raise SourceError(
            "dmsetup info: no header with Name, Maj and Min", hint="take it with: dmsetup info -c"
        )
    for line in lines[head + 1 :]:
        match = _INFO.match(line)
        if match:
            node = host.node(f"{match[2]}:{match[3]}", f"mapper/{match[1]}")
            node.tell(DMSETUP, Facts(dm_uuid=match[4]))


def read_deps(text: str, host: Host) -> None:
    """``dmsetup deps``: ``name: 2 dependencies  : (8, 32) (8, 16)``, or with names
    (``-o devname``)."""
    for line in text.splitlines():
        match = _DEPS.match(line.strip())
        if match is None or not match["name"]:
            continue
        on = []
        for word in re.findall(r"\(([^()]+)\)", match["on"]):
            pair = re.fullmatch(r"(\d{1,8}),\s*(\d{1,8})", word)
            on.append(
                f"{int(pair[1])}:{int(pair[2])}"
                if pair
                else word
                if is_kernel_name(word)
                else f"mapper/{word}"
            )
            host.node(on[-1])
        host.node(f"mapper/{match['name']}").tell(DMSETUP, Facts(slaves=tuple(on) or None))


def read_ls(text: str, host: Host) -> None:
    """``dmsetup ls`` and ``dmsetup ls --tree``: names, numbers, what stands on what.

    The tree is cut at the terminal's width: a line without its number tells nothing.
    """
    trunk: list[Node | None] = []
    on: dict[int, dict[str, None]] = {}
    nodes: dict[int, Node] = {}
    for line in text.splitlines():
        whole = line.rstrip()
        leaf = whole.lstrip(" |`├└│─-")
        match = _LEAF.search(leaf, max(len(leaf) - 24, 0))
        node = None
        if match:
            name = leaf[: match.start()].strip()
            node = host.node(f"{match[1]}:{match[2]}", f"mapper/{name}" if name else "")
        elif leaf.endswith("..."):
            host.note(f"dmsetup ls: a name that was cut is passed over: {leaf[:60]}")
        else:
            continue
        level = (len(whole) - len(leaf)) // 3  # three characters per level
        above = trunk[level - 1] if 0 < level <= len(trunk) else None
        trunk[level:] = [node]
        if node is not None and above is not None:
            nodes[id(above)] = above
            on.setdefault(id(above), {})[next(iter(node.names))] = None
    for identity, lower in on.items():
        nodes[identity].tell(DMSETUP, Facts(slaves=tuple(lower)))


def refuse_status(text: str, host: Host) -> None:
    """``dmsetup status`` names targets, but not what they stand on."""
    names = [line.split(":")[0] for line in text.splitlines() if ":" in line]
    raise SourceError(
        "dmsetup status does not say what the devices stand on",
        value=", ".join(names[:3]),
        hint="take: dmsetup table",
    )
