"""LVM's reports: ``lvs/vgs/pvs --reportformat json``, and what others tell of LVM.

Without the column ``devices`` (lvs -o +devices) nobody says which physical volume holds a logical
one: it is taken to stand on all of its group's, which bounds the depth.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from blockstack.hosts.model.facts import LVM, Facts, Source
from blockstack.hosts.model.host import Host, SourceError, mapper_name
from blockstack.hosts.readers.common import read_json, rounded_sectors, rows_of, text_of, whole

_EXTENT = re.compile(r"\(\d+\)\Z")


def read_report(text: str, host: Host) -> None:
    """One or several commands' JSON reports."""
    data = read_json(text, "LVM report")
    reports = rows_of(data.get("report")) if isinstance(data, dict) else []
    volumes: list[Mapping[str, Any]] = []
    found = False
    for report in reports:
        found |= bool({"lv", "pv", "vg", "seg"} & set(report))
        for physical in rows_of(report.get("pv")):
            _physical(physical, host)
        volumes += [*rows_of(report.get("lv")), *rows_of(report.get("seg"))]
    if not found:
        raise SourceError(
            "LVM report: neither lv nor pv nor vg",
            hint="take it with: lvs -a -o +devices --reportformat json --units b",
        )
    rows = {(text_of(r.get("vg_name")), text_of(r.get("lv_name")).strip("[]")): r for r in volumes}
    for row in volumes:
        _logical(row, rows, host)


def _physical(row: Mapping[str, Any], host: Host) -> None:
    name, group = text_of(row.get("pv_name")), text_of(row.get("vg_name"))
    if not name.startswith("/dev/"):
        host.note(f"LVM: a physical volume of {group or '?'} is missing ({name})")
        return
    if text_of(row.get("pv_attr")).startswith("d"):
        host.note(f"LVM: {name} is a duplicate of another physical volume; it is not used")
        return
    host.node(name)
    if group:
        host.groups.setdefault(group, {})[name] = None


Rows = Mapping[tuple[str, str], Mapping[str, Any]]
#: the first letter of lv_attr, for reports without the column segtype
_LETTERS = {
    "t": "thin-pool",
    "V": "thin",
    "C": "cache",
    "m": "mirror",
    "M": "mirror",
    "d": "vdo-pool",
    "D": "vdo",
} | dict.fromkeys("-iIlTe", "linear")
#: letters of lv_attr of volumes whose target or lower devices a report does not tell
_UNTOLD = {
    "r": "a RAID volume whose level this report does not tell",
    "s": "a snapshot whose origin this report does not tell",
    "o": "an origin of snapshots whose stores this report does not tell",
}


def _logical(row: Mapping[str, Any], rows: Rows, host: Host) -> None:
    volume, group = text_of(row.get("lv_name")).strip("[]"), text_of(row.get("vg_name"))
    if not volume or not group:
        return
    attr = text_of(row.get("lv_attr"))
    if len(attr) > 4 and attr[4] not in "asIX":
        host.note(f"LVM: {group}/{volume} is not active")
        return
    node = host.node(mapper_name(group, volume))
    size = rounded_sectors(row.get("lv_size"))
    if size is not None:
        node.tell(LVM, Facts(size_sectors=size[0]), exact=size[1])
    segment = text_of(row.get("segtype")) or _LETTERS.get(attr[:1], "")
    node.tell(
        LVM,
        Facts(
            lvm_segtype=segment.partition("_")[0],
            lvm_stripe_bytes=whole(row.get("stripe_size")) or None,
        ),
    )
    if attr[:1].lower() != "r" or not text_of(row.get("segtype")):
        node.tell(LVM, Facts(lvm_problem=_UNTOLD.get(attr[:1].lower())))
    inner = _inner(row, group, volume, segment, rows)
    devices = [_EXTENT.sub("", d) for d in text_of(row.get("devices")).split(",") if d.strip()]
    if inner:
        node.tell(LVM, Facts(slaves=tuple(inner)))
    elif devices:
        node.tell(
            LVM,
            Facts(
                slaves=tuple(
                    d if d.startswith("/") else mapper_name(group, d.strip("[]")) for d in devices
                )
            ),
        )
    else:
        node.tell(LVM, Facts(lvm_group=group))


def _inner(row: Mapping[str, Any], group: str, volume: str, segment: str, rows: Rows) -> list[str]:
    """Hidden volumes under a volume, by column or by LVM's naming."""

    def named(*wanted: str) -> list[str]:
        found = [w.strip("[]") for w in wanted if w]
        return [mapper_name(group, w) for w in found if (group, w) in rows]

    pool, data, metadata = (text_of(row.get(key)) for key in ("pool_lv", "data_lv", "metadata_lv"))
    if segment == "thin":
        return named(pool)
    if segment in ("thin-pool", "cache-pool"):
        return named(data, metadata)
    if segment in ("cache", "writecache"):
        inside = rows.get((group, pool.strip("[]")), {})
        cache = (
            [text_of(inside.get(k)) for k in ("data_lv", "metadata_lv")]
            if text_of(inside.get("segtype")) == "cache-pool"
            else [pool]
        )
        return named(f"{volume}_corig", f"{volume}_wcorig", *cache)
    mark = "mimage" if segment == "mirror" else "rimage" if segment.startswith("raid") else ""
    images = sorted(
        (
            int(m[1])
            for g, n in rows
            if mark
            and g == group
            and (m := re.fullmatch(rf"{re.escape(volume)}_{mark}_(\d{{1,4}})", n))
        )
    )
    return named(*(f"{volume}_{mark}_{i}" for i in images))


def volume(
    host: Host, group: str, name: str, size: Any, source: Source, segment: str | None = None
) -> None:
    """A logical volume of which only name, group and size are told (probert, a storage config)."""
    node = host.node(mapper_name(group, name))
    found = rounded_sectors(size)
    if found is not None:
        node.tell(source, Facts(size_sectors=found[0]))
    node.tell(source, Facts(lvm_group=group, lvm_segtype=segment))


def groups(host: Host, group: str, devices: Iterable[str]) -> None:
    """The physical volumes of a group."""
    for device in devices:
        host.node(device)
        host.groups.setdefault(group, {})[device] = None


def group_of(host: Host, group: str) -> Sequence[str]:
    """All physical volumes of a group, with a note when there are several."""
    devices = list(host.groups.get(group, ()))
    if len(devices) > 1:
        host.note(
            f"LVM: which of the {len(devices)} physical volumes of {group} holds a logical "
            "one is not told; each is taken to stand on all (dmsetup table would tell)"
        )
    return devices
