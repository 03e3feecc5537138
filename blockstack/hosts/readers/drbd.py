"""DRBD: ``drbdsetup show``, ``drbdadm dump`` and resource files (8.3 to 9), ``drbdsetup status
--json``.

``show`` tells of this host (``_this_host``); ``dump`` of every host of a resource, and in a comment
of the host that it was run on. Where nothing tells which host this is, both hosts' disks are kept
under their names, and `kinds_of` decides when all sources are read. Secrets are never kept.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blockstack.hosts.model.facts import DRBD, Facts
from blockstack.hosts.model.host import Host, Node, SourceError
from blockstack.hosts.readers.common import read_json, rows_of, sectors, text_of, whole

_TOKEN = re.compile(r'#[^\n]*|"([^"\n]*)"|([{};])|([^\s{};"#]+)|"')
_LOCAL = re.compile(r"^# resource (\S+) on (\S+): not ignored", re.MULTILINE)
_MINOR = re.compile(r"(?:/dev/)?drbd(\d{1,7})\Z")
_MAX_DEPTH, _MAX_MINOR = 20, (1 << 20) - 1
PROTOCOLS = ("A", "B", "C")


@dataclass
class _Section:
    """``words { statements; sections }``."""

    words: Sequence[str] = ()
    statements: dict[str, Sequence[str]] = field(default_factory=dict)
    sections: list["_Section"] = field(default_factory=list)

    def named(self, *names: str) -> Iterator["_Section"]:
        """Inner sections whose first word is one of these."""
        return (s for s in self.sections if s.words[:1] and s.words[0] in names)


def _parse(text: str) -> _Section:
    top = _Section()
    open_ones, words = [top], []
    for token in _TOKEN.finditer(text):
        quoted, mark, word = token.groups()
        if quoted is not None or word is not None:
            words.append(quoted if word is None else word)
        elif mark == "{":
            inner = _Section(words)
            open_ones[-1].sections.append(inner)
            open_ones.append(inner)
            words = []
        elif mark == ";":
            if words:
                open_ones[-1].statements.setdefault(words[0], words[1:])
            words = []
        elif mark == "}":
            open_ones.pop()
            words = []
        elif token[0] == '"':
            raise SourceError("DRBD: a quotation mark without its pair", hint="take it again")
        if not 0 < len(open_ones) <= _MAX_DEPTH:
            raise SourceError("DRBD: braces that do not match", hint="take it again, complete")
    if len(open_ones) > 1:
        raise SourceError(
            f"DRBD: cut off within {' '.join(open_ones[1].words[:2])}",
            hint="take it again: drbdsetup show, or drbdadm dump",
        )
    return top


def read_config(text: str, host: Host) -> None:
    """``drbdsetup show``, ``drbdadm dump``, a resource file."""
    top = _parse(text)
    local = dict(_LOCAL.findall(text))
    common = next(top.named("common"), _Section())
    resources = list(top.named("resource"))
    if any(top.named("_this_host")):  # 8.3's drbdsetup show: one device, no resource around it
        resources.append(_Section(("resource", ""), top.statements, top.sections))
    found = sum(_resource(r, common, local, host) for r in resources)
    if not found:
        raise SourceError(
            "DRBD: no resource with a device",
            hint="take it as root: drbdsetup show, or drbdadm dump",
        )


def _resource(resource: _Section, common: _Section, local: Mapping[str, str], host: Host) -> int:
    name = resource.words[1] if len(resource.words) > 1 else ""
    here = list(resource.named("_this_host"))
    if not here:
        here = [s for s in resource.named("on", "floating") if len(s.words) > 1]
    for section in resource.named("stacked-on-top-of"):
        host.note(f"DRBD: {name} is stacked on {' '.join(section.words[1:2])}; passed over")
    names = ["" if s.words[0] == "_this_host" else s.words[1] for s in here]
    peers = max(len(list(resource.named("connection", "_remote_host"))), len(here) - 1)
    protocol = _protocol(resource, common, name, host)
    found = 0
    for section, one in zip(here, names, strict=True):
        if one and local.get(name, one) != one:
            continue  # the peer's, and the dump says so
        for volume, said in _volumes(resource, section):
            node = _device(said, name, volume, host)
            if node is None:
                continue
            found += 1
            node.tell(DRBD, Facts(drbd_protocol=protocol, drbd_peers=peers))
            disks = _disks(said)
            if one and name not in local:
                known = node.facts.drbd_hosts or dict.fromkeys(names)
                node.tell(DRBD, Facts(drbd_hosts={**known, one: disks}), again=True)
            else:
                node.tell(DRBD, Facts(drbd_disks=disks))
    return found


def _protocol(resource: _Section, common: _Section, name: str, host: Host) -> str | None:
    """The resource's, of its first connection that tells one, or the common one; None: C."""
    told: dict[str, None] = {}
    for section in (resource, *resource.named("connection"), common):
        for one in (section, *section.named("net")):
            word = next(iter(one.statements.get("protocol", ())), "").upper()
            if word in PROTOCOLS:
                told[word] = None
        if told and section is resource:
            break
    if len(told) > 1:
        host.note(
            f"DRBD: {name} has connections with protocols {', '.join(told)}; the first one "
            "is followed"
        )
    return next(iter(told), None)


def _volumes(
    resource: _Section, section: _Section
) -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    """Each volume of a host, by number: what its own section does not say is inherited."""
    inner: dict[str, list[_Section]] = {}
    for outer in (resource, section):
        for volume in outer.named("volume"):
            inner.setdefault(volume.words[1] if len(volume.words) > 1 else "0", []).append(volume)
    around = {**resource.statements, **section.statements}
    if not inner:
        yield "0", around
    for number, sections in inner.items():
        said = dict(around)
        for volume in sections:
            said |= volume.statements
        yield number, said


def _device(
    said: Mapping[str, Sequence[str]], resource: str, volume: str, host: Host
) -> Node | None:
    """The node of ``device /dev/drbd0 minor 0``: the kernel names it by its minor."""
    words = said.get("device")
    if words is None:
        return None
    minor = None
    if "minor" in words[:-1]:
        minor = whole(words[list(words).index("minor") + 1], _MAX_MINOR)
    elif words and (match := _MINOR.match(words[0])):
        minor = whole(match[1], _MAX_MINOR)
    if minor is None:
        raise SourceError(
            "DRBD: a device whose minor number is not told",
            path=f"resource {resource}",
            value=" ".join(words)[:80],
            hint="take: drbdsetup show, which tells it",
        )
    return _node(minor, resource, volume, host)


def _node(minor: int, resource: str, volume: str, host: Host) -> Node:
    by_resource = [f"drbd/by-res/{resource}/{volume}"] if resource else []
    return host.node(f"147:{minor}", f"drbd{minor}", *by_resource)


def _disks(said: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The backing disk and, when it is not internal, the metadata's; empty: diskless."""
    words = [
        next(iter(said.get(key, ())), "") for key in ("disk", "meta-disk", "flexible-meta-disk")
    ]
    disk, meta = words[0], words[1] or words[2]
    if disk in ("", "none"):
        return ()
    return (disk,) if meta in ("", "internal", "flexible") else (disk, meta)


def read_status(text: str, host: Host) -> None:
    """``drbdsetup status --json``: minors, sizes, peers; newer ones tell the backing disk."""
    found = 0
    for resource in rows_of(read_json(text, "drbdsetup status")):
        name, peers = text_of(resource.get("name")), len(rows_of(resource.get("connections")))
        for device in rows_of(resource.get("devices")):
            minor = whole(device.get("minor"), _MAX_MINOR)
            if minor is None:
                continue
            found += 1
            node = _node(minor, name, str(whole(device.get("volume"), 65535) or 0), host)
            node.tell(DRBD, Facts(drbd_peers=peers, size_sectors=sectors(device.get("size"), 1024)))
            backing = text_of(device.get("backing_dev"))
            if backing.startswith("/dev/"):
                node.tell(DRBD, Facts(drbd_backing=backing))
            if device.get("client") is True:
                node.tell(DRBD, Facts(drbd_disks=()))
    if not found:
        raise SourceError(
            "drbdsetup status: no device",
            hint="take it as root, with a resource up: drbdsetup status --json",
        )
