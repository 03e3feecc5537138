"""One node of a host to what blockstack calls a device: kind, what it stands on, keys."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from blockstack.base.errors import BlockstackError
from blockstack.commands.dm_table import DeviceSpec, NotModelled, linear_spec, target_spec
from blockstack.hosts.leaves import dm_kind, leaf
from blockstack.hosts.model.facts import UDEV, Facts
from blockstack.hosts.model.host import Host, Node, SourceError, Untold
from blockstack.hosts.model.naming import disk_of_partition, name_of_number
from blockstack.hosts.readers.lvm import group_of
from blockstack.hosts.volumes import volume_of
from blockstack.kinds import KINDS

_NUMBER = re.compile(r"\d{1,8}:\d{1,8}\Z")
_INTEGRITY_MODES = {"J": "journal", "B": "bitmap", "D": "direct"}
_CHUNKED = ("md-raid0", "md-raid4", "md-raid5", "md-raid6", "md-raid10", "md-linear")


@dataclass(frozen=True)
class Part:
    """A device to be: a `DeviceSpec` whose lower devices are nodes.

    ``kind`` may be a word that the registry does not have; ``rest`` are further paths of a
    multipath device that the model does not follow; ``empty`` are slots of an array without
    a member.
    """

    kind: str
    on: tuple[Node, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    rest: tuple[Node, ...] = ()
    empty: tuple[int, ...] = ()
    table: bool = False


@dataclass(frozen=True)
class Stores:
    """Snapshots by the origin that their tables name: their stores, and the chunk in bytes."""

    by_origin: dict[str, list[str]] = field(default_factory=dict)
    chunks: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, host: Host) -> "Stores":
        """From all tables of a host: an origin's own table does not name them."""
        found = cls()
        for node in host.nodes():
            for row in node.facts.table or ():
                if row[2] == "snapshot" and len(row) > 6 and row[6].isdigit():
                    words = prepared(row)
                    found.by_origin.setdefault(words[3], []).append(words[4])
                    found.chunks[words[3]] = int(words[6][:9]) * 512
        return found


def part_of(node: Node, host: Host, stores: Stores) -> Part | None:
    """What a node is; None: it serves no I/O (inactive, empty) or nothing is known of it.

    Raises
    ------
    BlockstackError
        Its sources name devices that none describes, or a table that cannot be.
    """
    said = node.facts
    if said.table is not None:
        return _by_table(node, host, stores)
    if said.md_level is not None:
        return _array(node, host)
    if said.md_inactive or said.dm_empty:
        return None
    if said.parent is None and (
        said.bcache_backing is not None or (node.kname or "").startswith("bcache")
    ):
        return _bcache(node, host)
    if any(f is not None for f in (said.drbd_disks, said.drbd_hosts, said.drbd_peers)):
        return _drbd(node, host)
    if said.parent is not None:
        return Part("partition", (_named(host, said.parent, node),))
    if said.lvm_group is not None or said.slaves or node.mapped:
        return _by_slaves(node, host)
    return _by_name(node, host)


def _named(host: Host, name: str, of: Node) -> Node:
    found = host.find(name)
    if found is None:
        raise SourceError(f"stands on {name}, of which no source tells anything", path=of.label)
    return found


def _by_name(node: Node, host: Host) -> Part | None:
    """A disk, a partition or a loop device by name or fixed number."""
    if node.kname is None and node.number is not None:
        known = name_of_number(node.number)
        if known is None:
            raise SourceError(
                "which device this is, no source tells",
                path=node.number,
                hint="its number is given out at boot; add: dmsetup info -c, or lsblk, or /sys",
            )
        host.node(node.number, known[0])
        if known[1]:
            node.tell(UDEV, Facts(parent=known[1]))
            return Part("partition", (host.node(known[1]),))
    kname = node.kname or ""
    disk = disk_of_partition(kname)
    if disk is not None and (host.find(disk) or not kname.startswith("md")):
        return Part("partition", (host.node(disk),))
    if re.fullmatch(r"loop\d+", kname):
        return (
            None
            if node.facts.backing_file is None and not node.facts.size_sectors
            else (Part("loop"))
        )
    kind = leaf(node, host)
    if kind is None and node.facts.is_disk:
        host.note(
            "disks of which only a storage config speaks: SCSI is assumed, host driver unknown"
        )
        kind = "scsi", {"driver": "generic"}
    return None if kind is None else Part(kind[0], (), kind[1])


def prepared(row: Sequence[str]) -> list[str]:
    """A row of a kernel's table in the form that `target_spec` reads: data devices as
    ``/dev/8:0``, what holds metadata or a log as it was."""
    words = list(row)
    target, args = words[2], words[3:]
    skip: set[int] = set()
    if target == "mirror" and len(args) > 1 and args[1].isdigit():
        skip = set(range(2 + int(args[1][:4])))
    if target == "raid" and args:
        args[0] = args[0].partition("_")[0]
        pairs = 2 + int(args[1][:6]) if len(args) > 1 and args[1].isdigit() else len(args)
        skip = set(range(pairs + 1, len(args), 2))  # metadata, then data, per member
    found = [f"/dev/{a}" if _NUMBER.match(a) and i not in skip else a for i, a in enumerate(args)]
    return [*words[:3], *found]


def _by_table(node: Node, host: Host, stores: Stores) -> Part:
    rows = [prepared(row) for row in node.facts.table or ()]
    targets = list(dict.fromkeys(row[2] for row in rows))
    if len(targets) > 1 or (len(rows) > 1 and targets != ["linear"]):
        raise SourceError(
            f"a dm table of {len(rows)} rows with targets {', '.join(targets[:6])}: "
            "the model has one target per device (several rows: linear only)",
            path=node.label,
            hint=f'--skip "{node.label}" leaves it and what stands on it out',
        )
    try:
        spec = (
            linear_spec(rows) if targets == ["linear"] else target_spec(rows[0], stores.by_origin)
        )
        spec = _completed(spec, rows[0], stores)
    except (ValueError, LookupError) as error:
        if isinstance(error, BlockstackError):
            raise
        # a reason that quotes a word of the row is not shown for a row that had a key
        quoted = targets[0] == "crypt" and any(len(w) > 3 and w in str(error) for w in rows[0][3:])
        why = "" if quoted else f": {error}"
        take = "" if isinstance(error, NotModelled) else "take it with: dmsetup table; "
        raise SourceError(
            f"target {targets[0]} cannot be read{why}",
            path=node.label,
            hint=f'{take}--skip "{node.label}" leaves it and what stands on it out',
        ) from None
    on = [_named(host, name, node) for name in spec.on if name != "missing"]
    keys = dict(spec.keys)
    empty = tuple(keys.get("failed", ())) if "missing" in spec.on else ()
    if "table" in keys:
        keys["table"] = [[r[0], r[1], _named(host, r[2], node), r[3]] for r in keys["table"]]
    return _one_path(Part(spec.kind, tuple(on), keys, empty=empty, table=True), host, node)


def _completed(spec: DeviceSpec, row: Sequence[str], stores: Stores) -> DeviceSpec:
    """What the table tells beyond the spec's keys."""
    target, args = row[2], row[3:]
    keys = {k: v for k, v in spec.keys.items() if k not in ("copied", "blocks")}
    on = spec.on
    if target == "snapshot-origin":
        keys["chunk"] = stores.chunks.get(args[0])
    if target == "crypt":
        told = (word for word in args[5:] if word.startswith("sector_size:"))
        if word := next(told, ""):
            keys["sector_size"] = int(word.partition(":")[2])
    if target == "thin-pool":
        keys["block"] = int(args[2]) * 512
    if target == "striped":
        keys["offsets"] = [int(a) for a in args[3::2]]
    if target == "multipath":
        on = tuple(dict.fromkeys(a for a in args if a.startswith("/dev/")))
    if target == "integrity" and len(args) > 3:
        keys["mode"] = _INTEGRITY_MODES.get(args[3], args[3])
    if target == "raid" and _has(spec.kind, "chunk") and args[2].isdigit() and int(args[2]):
        keys["chunk"] = int(args[2]) * 512
    if target != "linear":
        keys["size"] = int(row[1]) * 512
    return replace(spec, on=on, keys=keys)


def _has(kind: str, key: str) -> bool:
    return kind in KINDS and any(p.name == key for p in KINDS[kind].params)


def _one_path(part: Part, host: Host, node: Node) -> Part:
    """A multipath device stands on as many paths as its kind has; the rest are named."""
    if not part.kind.startswith("dm-multipath") or not part.on:
        return part
    most = KINDS[part.kind].arity[1] if part.kind in KINDS else 1
    if most is None or len(part.on) <= most:
        return part
    host.note("multipath devices: all paths are alike to the model; the first one is followed")
    return replace(part, on=part.on[:most], rest=part.on[most:])


def _by_slaves(node: Node, host: Host) -> Part | None:
    """A device of which only the lower ones are told: by sysfs, lsblk, LVM, probert."""
    if node.facts.lvm_problem:
        raise Untold(node.facts.lvm_problem, path=node.label, hint="add: dmsetup table")
    lower = node.facts.slaves or group_of(host, node.facts.lvm_group or "")
    on: Sequence[Node] = tuple(_named(host, name, node) for name in lower)
    name, kind = node.kname or "", dm_kind(node)
    if kind is None and not node.mapped and not name.startswith("dm-"):
        if name.startswith("md"):
            raise Untold(
                "an md array whose level no source tells",
                path=node.label,
                hint="add: cat /proc/mdstat, or /sys",
            )
        found = leaf(node, host)
        return None if found is None else Part(found[0], tuple(on), found[1])
    if not on:
        pvs = "pvs --reportformat json, or " if node.facts.lvm_group else ""
        raise Untold(
            "what this device stands on, no source tells",
            path=node.label,
            hint=f"add: {pvs}dmsetup table, or lsblk --json, or /sys",
        )
    if kind is None:
        kind, on = volume_of(node, on, host)
    if kind in ("dm-thin-pool", "dm-cache") and kind in KINDS:  # the last one holds metadata
        on = on[: KINDS[kind].arity[1]]
    keys: dict[str, Any] = {"chunk": node.facts.lvm_stripe_bytes} if _has(kind, "chunk") else {}
    if kind == "dm-multipath" and _has(kind, "queue_mode"):
        keys["queue_mode"] = node.facts.queue_mode
    return _one_path(Part(kind, tuple(on), keys), host, node)


def _bcache(node: Node, host: Host) -> Part:
    """The backing device, then the caches. Without sysfs, the one that several bcache devices
    share is the cache."""
    slaves = list(node.facts.slaves or ())
    backing = node.facts.bcache_backing
    if backing is None:
        backing = _unshared(node, slaves, host)
    caches = node.facts.bcache_caches or ()
    first = _named(host, backing, node)
    rest = [_named(host, n, node) for n in (*caches, *slaves)]
    on = _distinct([first, *rest])
    if len(on) < 2:
        raise Untold(
            "a bcache device whose cache no source tells (lsblk -P names one parent "
            "only), or that has none: the model has bcache with a cache",
            path=node.label,
            hint="add: lsblk --json, or /sys; --skip "
            f"{node.label} leaves it and what stands on it out",
        )
    return Part("bcache", on, {"mode": node.facts.bcache_mode})


def _drbd(node: Node, host: Host) -> Part:
    """The backing disk, then the metadata's; with peers, a card goes under it."""
    disks, by_host = node.facts.drbd_disks, node.facts.drbd_hosts or {}
    if disks is None and by_host:
        disks = _this_hosts(node, by_host, host)
    if disks is None:
        told = node.facts.drbd_backing
        disks = (told,) if told else tuple(node.facts.slaves or ())
        if not disks:
            raise Untold(
                "what this DRBD device stands on, no source tells",
                path=node.label,
                hint="add: drbdsetup show, or lsblk --json, or /sys",
            )
    if not disks:
        raise SourceError(
            "a diskless DRBD device: its data is on the peers alone, which the model does not have",
            path=node.label,
            hint=f"--skip {node.label} leaves it and what stands on it out",
        )
    if (node.facts.drbd_peers or 0) > 1:
        host.note(
            f"{node.label}: {node.facts.drbd_peers} peers, whose threads are alike; one "
            "connection is modelled"
        )
    return Part(
        "drbd", tuple(host.node(one) for one in disks), {"protocol": node.facts.drbd_protocol}
    )


def _this_hosts(
    node: Node, by_host: Mapping[str, Sequence[str] | None], host: Host
) -> Sequence[str]:
    """The disks that a resource's file gives to this host."""
    short = host.name.partition(".")[0]
    here = [disks for name, disks in by_host.items() if short and name.partition(".")[0] == short]
    told = here or ([] if short else list(by_host.values()))
    disks = told[0] if told else None
    if disks is None or any(one != disks for one in told):
        raise Untold(
            "which of the resource's hosts this is, no source tells"
            + (f" (not {host.name})" if short else ""),
            path=node.label,
            value=", ".join(list(by_host)[:6]),
            hint="add: drbdsetup show, or uname -a",
        )
    return disks


def _distinct(nodes: Sequence[Node]) -> tuple[Node, ...]:
    return tuple({id(n): n for n in nodes}.values())


def _unshared(node: Node, slaves: Sequence[str], host: Host) -> str:
    if not slaves:
        raise Untold(
            "what this bcache device stands on, no source tells",
            path=node.label,
            hint="add: lsblk --json, or /sys",
        )
    counts: dict[int, int] = {}
    for other in host.nodes():
        if (other.kname or "").startswith("bcache"):
            for name in other.facts.slaves or ():
                below = host.find(name)
                counts[id(below)] = counts.get(id(below), 0) + 1
    fewest = min(slaves, key=lambda name: counts.get(id(host.find(name)), 0))
    if len(slaves) > 1:
        host.note(
            f"{node.label}: which device is the cache is not told; the least shared one, "
            f"{fewest}, is taken for the backing device"
        )
    return fewest


def _array(node: Node, host: Host) -> Part:
    """An md array: members by slot."""
    level = str(node.facts.md_level)
    kind = f"md-{level}"
    members: Mapping[int, str] = node.facts.md_members or {}
    if not members:
        members = dict(enumerate(node.facts.slaves or ()))
    if not members:
        raise Untold(
            "an md array whose members no source tells",
            path=node.label,
            hint="add: cat /proc/mdstat, or /sys",
        )
    disks = max(node.facts.md_disks or 0, max(members) + 1)
    if disks > 4096:
        raise SourceError(
            "an md array with an impossible number of members", path=node.label, value=disks
        )
    keys: dict[str, Any] = {}
    chunk = node.facts.md_chunk_bytes
    if chunk and kind in _CHUNKED:
        keys["chunk"] = chunk
    elif kind in _CHUNKED and kind != "md-linear":
        host.note("md arrays whose chunk no source tells: 512 KiB, mdadm's default, is assumed")
    if kind == "md-raid10":
        keys["layout"] = node.facts.md_raid10 or _layout(node.facts.md_layout)
        if node.facts.md_raid10 is None and node.facts.md_layout is None:
            host.note(
                "md raid10 arrays whose layout no source tells: n2, mdadm's default, is assumed"
            )
    if node.facts.md_bitmap and _has(kind, "bitmap"):
        keys["bitmap"] = "internal"
    empty = tuple(i for i in range(disks) if i not in members)
    if empty and level in ("raid4", "raid5", "raid6"):
        keys["failed"] = list(empty)
    if level in ("raid0", "raid1", "linear"):
        empty = ()
    on = tuple(_named(host, members[i], node) for i in sorted(members))
    if node.facts.md_container:
        keys["container"] = node.facts.md_container
    return Part(kind, on, keys, empty=empty)


def _layout(word: int | None) -> str:
    """mdadm's word for raid10's layout number (drivers/md/raid10.c setup_geo)."""
    if word is None:
        return "n2"
    near, far = word & 0xFF, (word >> 8) & 0xFF
    return f"n{near}" if far <= 1 else f"{'o' if word & (1 << 16) else 'f'}{far}"
