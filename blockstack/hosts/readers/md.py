"""md arrays: ``/proc/mdstat`` and ``mdadm --detail --export``.

An inactive array has no level: it serves no I/O, and is noted, not modelled. Members marked (S)
are spares and (F) failed; replacements (R) count as members.
"""

import re
from collections.abc import Iterable, Mapping

from blockstack.hosts.model.facts import MDADM, MDSTAT, Facts, Source
from blockstack.hosts.model.host import Host, Node, SourceError
from blockstack.hosts.readers.common import sectors, whole

_ARRAY = re.compile(r"(md\S*) : (.*)\Z")
_MEMBER = re.compile(r"(?<![^\s\[\]])([^\s\[\]]+)\[(\d{1,4})\]((?:\([A-Z]\))*)")
_STATE = re.compile(r"\[(\d{1,4})/(\d{1,4})\]\s+\[([U_]+)\]")
LEVELS = ("linear", "multipath", "raid0", "raid1", "raid4", "raid5", "raid6", "raid10", "faulty")


def read_mdstat(text: str, host: Host) -> None:
    """``/proc/mdstat``."""
    if "Personalities" not in text and "unused devices" not in text:
        raise SourceError("not /proc/mdstat", hint="take: cat /proc/mdstat")
    array: tuple[str, str] | None = None
    body: list[str] = []
    for line in [*text.splitlines(), "end : "]:
        match = _ARRAY.match(line)
        ends = match or not line.strip() or line.startswith(("unused", "end", "Personalities"))
        if ends and array:
            _array(*array, body, host)
            array = None
        if match:
            array, body = (match[1], match[2]), []
        elif array:
            body.append(line)


def _array(name: str, head: str, body: list[str], host: Host) -> None:
    node = host.node(name)
    words = head.split()
    for member, _, _ in _MEMBER.findall(head):
        host.node(member)
    if not words or words[0] != "active":
        node.tell(MDSTAT, Facts(md_inactive=True))
        return
    level = next((w for w in words[1:4] if w in LEVELS), None)
    if level is None:
        raise SourceError("mdstat: an active array without a level", path=name, value=head[:80])
    found = [(int(role), member, flags) for member, role, flags in _MEMBER.findall(head)]
    if not found:
        raise SourceError("mdstat: an active array without members", path=name)
    _members(node, found, "\n".join(body), host, level)


def _members(
    node: Node, found: list[tuple[int, str, str]], text: str, host: Host, level: str
) -> None:
    """Slots: ``[n/m] [UU_]`` tells how many there are and which are up. A member's number is its
    slot when it is below n; a member that replaced another has a higher number, and takes the
    first slot that is left, in order."""
    state = _STATE.search(text)
    working = [
        (role, member)
        for role, member, flags in sorted(found)
        if "(S)" not in flags and "(F)" not in flags
    ]
    disks = int(state[1]) if state else len(working)
    up = [i for i, c in enumerate(state[3]) if c == "U"] if state else list(range(disks))
    slots = {role: member for role, member in working if role in up}
    late = [member for role, member in working if role not in up]
    slots |= dict(zip((i for i in up if i not in slots), late, strict=False))
    chunk = re.search(r"(\d{1,9})k (?:chunk|rounding)", text)
    copies = re.search(r"(\d{1,2}) (near|far|offset)-copies", text)
    blocks = re.match(r"\s*(\d{1,18}) blocks", text)
    container = re.search(r"super external:/(md[^/\s]*)/", text)
    node.tell(
        MDSTAT,
        Facts(
            md_level=level,
            md_disks=disks,
            md_members=slots or None,
            md_chunk_bytes=int(chunk[1]) * 1024 if chunk else None,
            md_raid10=f"{copies[2][0]}{copies[1]}" if copies else None,
            md_bitmap="bitmap:" in text,
            md_container=container[1] if container else None,
            size_sectors=sectors(blocks[1], 1024) if blocks else None,
        ),
    )
    of = _alias(level, slots.values())
    known = host.find(of)
    if known is None or known.kname is None:
        host.node(next(iter(node.names)), of)


def _alias(level: str, members: Iterable[str]) -> str:
    """A name by level and members: ``mdadm --export`` may not tell the array's own."""
    return f"md/of-{level}-" + "+".join(sorted(members))


def read_export(text: str, host: Host) -> None:
    """``mdadm --detail --export`` of one array, or of several after each other."""
    arrays: list[dict[str, str]] = []
    for line in text.splitlines():
        key, eq, value = line.strip().partition("=")
        if not eq or not key.startswith(("MD_", "DEVNAME")):
            continue
        if key == "MD_LEVEL" or not arrays:
            arrays.append({})
        arrays[-1][key] = value
    if not any("MD_LEVEL" in a for a in arrays):
        raise SourceError(
            "mdadm --export: no MD_LEVEL",
            hint="an inactive array has none; take: mdadm --detail --export /dev/mdN",
        )
    for array in arrays:
        export(array, host, MDADM)


def export(array: Mapping[str, str], host: Host, source: Source, kname: str = "") -> None:
    """One array in MD_* words, from mdadm or from udev's database."""
    level = array.get("MD_LEVEL", "")
    roles = {k.removesuffix("_ROLE"): v for k, v in array.items() if k.endswith("_ROLE")}
    members = {
        int(role): array[f"{key}_DEV"].removeprefix("/dev/")
        for key, role in roles.items()
        if role.isdigit() and len(role) < 5 and f"{key}_DEV" in array
    }
    name = array.get("MD_DEVNAME") or array.get("MD_NAME", "").rpartition(":")[2]
    names = [
        n
        for n in (
            kname,
            f"md/{name}" if name else "",
            _alias(level, members.values()) if members and not kname else "",
        )
        if n
    ]
    if not names:
        raise SourceError(
            "mdadm --export: the array has neither a name nor members",
            value=array.get("MD_UUID", ""),
            hint="it comes from an old mdadm; add /proc/mdstat, or /sys, as the source",
        )
    node = host.node(*names)
    if level in ("container", ""):
        node.tell(source, Facts(md_inactive=True))
        return
    for member in members.values():
        host.node(member)
    node.tell(
        source,
        Facts(
            md_level=level,
            md_disks=whole(array.get("MD_DEVICES")),
            md_members=members or None,
            md_container=array.get("MD_CONTAINER", "").removeprefix("/dev/"),
        ),
    )


def refuse_examine(text: str, host: Host) -> None:
    """``mdadm --examine`` describes one member's superblock."""
    raise SourceError(
        "mdadm --examine describes one member, not the array: it does not name the other members",
        hint="take: cat /proc/mdstat, or mdadm --detail --export",
    )
