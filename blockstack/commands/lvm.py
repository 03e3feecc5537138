"""LVM's commands: what ``lvcreate`` and ``lvconvert`` make of a volume group.

Only the layers matter here, not the extents: a volume lies on the physical volumes that the command
names, else on the first ones of the group; what LVM puts between (``_rimage_0``, ``_tdata``) has
the names that ``dmsetup ls`` shows.
"""

from collections.abc import Callable, Mapping
from typing import Any

from blockstack.commands.dm_table import DeviceSpec
from blockstack.commands.shell import Options, Simple

DeviceSpecs = dict[str, DeviceSpec]
Reader = Callable[[Simple, Options, DeviceSpecs, Mapping[str, list[str]]], None]
_VALUED = (
    "-L --size -l --extents -n --name --type -i --stripes -I --stripesize -m --mirrors "
    "--thinpool --virtualsize -V --chunksize -c -a --activate --poolmetadatasize "
    "--poolmetadata --cachepool --cachevol --cachemode --cachedevice -R "
    "--regionsize --poolmetadataspare -Z --zero -W --wipesignatures --addtag -p "
    "--permission -r --readahead --cachesettings --cachepolicy --alloc --discards"
)


def _group(name: str) -> str:
    return f"volume group {name}"


def _vgcreate(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    name, *volumes = given.words
    specs[_group(name)] = DeviceSpec("volume group", tuple(volumes))


def _vgextend(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    name, *volumes = given.words
    specs[_group(name)] = DeviceSpec("volume group", (*specs[_group(name)].on, *volumes))


def mapped(group: str, volume: str, layer: str = "") -> str:
    """The path of a volume, or of a layer of it (``-real``, ``-cow``); hyphens in names are
    doubled (lib/misc/lvm-string.c build_dm_name)."""
    return f"/dev/mapper/{group.replace('-', '--')}-{volume.replace('-', '--')}{layer}"


class _Volume:
    """One ``lvcreate`` command, its options read."""

    def __init__(self, given: Options, specs: DeviceSpecs):
        self.given, self.specs = given, specs
        words = [w.removeprefix("/dev/") if i == 0 else w for i, w in enumerate(given.words)]
        if not words:
            raise ValueError("names no volume group")
        self.group, _, self.origin = words[0].partition("/")
        if _group(self.group) not in specs:
            raise ValueError(f"no command makes the volume group {self.group}")
        self.disks = tuple(words[1:]) or specs[_group(self.group)].on
        self.name = given.get("-n", "--name").rpartition("/")[2]

    def put(self, name: str, spec: DeviceSpec) -> str:
        """Add a volume under both of its paths."""
        path = mapped(self.group, name)
        self.specs[path] = spec
        self.specs[f"/dev/{self.group}/{name}"] = spec
        return path

    def linear(self, name: str, disk: str) -> str:
        """A hidden volume on one disk."""
        return self.put(name, DeviceSpec("dm-linear", (disk,)))

    def some(self, count: int) -> tuple[str, ...]:
        """As many disks."""
        if count > len(self.disks):
            raise ValueError(
                f"needs {count} physical volumes of {self.group}, which has {len(self.disks)}"
            )
        return self.disks[:count]

    def number(self, *names: str, default: int) -> int:
        """The value of an option."""
        text = self.given.get(*names, default=str(default)).lstrip("+")
        if not text.isdigit():
            raise ValueError(f"{names[0]} must be a whole number, not {text!r}")
        return int(text)


def _lvcreate(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    volume = _Volume(given, specs)
    kind = given.get("--type")
    pool = given.get("--thinpool")
    if not kind:
        kind = "snapshot" if given.has("--snapshot", "-s") else _guessed(given, volume, pool)
    maker = _MAKERS.get("raid" if kind.startswith("raid") else kind)
    if maker is None:
        raise ValueError(f"volumes of type {kind} are not modelled")
    maker(volume, kind, pool)


def _guessed(given: Options, volume: _Volume, pool: str) -> str:
    """The type that options imply (lvmcache(7), lvmthin(7), lvmraid(7))."""
    if given.has("-T", "--thin", "--thinpool") or given.has("-V", "--virtualsize"):
        return "thin" if given.has("-V", "--virtualsize") else "thin-pool"
    if given.has("-m", "--mirrors") and volume.number("-m", "--mirrors", default=0):
        return "raid10" if given.has("-i", "--stripes") else "raid1"
    return "striped" if volume.number("-i", "--stripes", default=1) > 1 else "linear"


def _linear(volume: _Volume, kind: str, pool: str) -> None:
    volume.put(volume.name or "lvol0", DeviceSpec("dm-linear", volume.disks[:1]))


def _chunk(volume: _Volume) -> dict[str, Any]:
    size = volume.given.get("-I", "--stripesize").lower().rstrip("b").rstrip("i")
    if not size:
        return {}
    unit = {"m": "MiB"}.get(size[-1:], "KiB")
    return {"chunk": f"{size.rstrip('km')} {unit}"}


def _striped(volume: _Volume, kind: str, pool: str) -> None:
    width = volume.number("-i", "--stripes", default=len(volume.disks))
    volume.put(volume.name, DeviceSpec("dm-striped", volume.some(width), _chunk(volume)))


def _raid(volume: _Volume, kind: str, pool: str) -> None:
    """Images and their metadata each on a disk of their own."""
    level = kind.removeprefix("raid").partition("_")[0]
    copies = volume.number("-m", "--mirrors", default=1) + 1
    parity = {"4": 1, "5": 1, "6": 2}.get(level, 0)
    least = {"4": 2, "5": 2, "6": 3, "0": 2}.get(level, 2)
    stripes = volume.number("-i", "--stripes", default=least)
    count = copies if level == "1" else stripes * copies if level == "10" else stripes + parity
    if level not in ("0", "1", "4", "5", "6", "10"):
        raise ValueError(f"volumes of type {kind} are not modelled")
    images = tuple(
        volume.linear(f"{volume.name}_rimage_{i}", disk)
        for i, disk in enumerate(volume.some(count))
    )
    keys = {} if level == "1" else _chunk(volume)
    volume.put(volume.name, DeviceSpec(f"dm-raid{level}", images, keys))


def _thin_pool(volume: _Volume, kind: str, pool: str) -> None:
    name = pool.rpartition("/")[2] or volume.origin or volume.name or "lvol1"
    data = volume.linear(f"{name}_tdata", volume.disks[0])
    meta = volume.linear(f"{name}_tmeta", volume.disks[-1])
    volume.put(name, DeviceSpec("dm-thin-pool", (data, meta)))


def _thin(volume: _Volume, kind: str, pool: str) -> None:
    name = pool.rpartition("/")[2] or volume.origin
    if mapped(volume.group, name) not in volume.specs:
        _thin_pool(volume, kind, name)
    volume.put(
        volume.name, DeviceSpec("dm-thin", (mapped(volume.group, name),), {"blocks": "unmapped"})
    )


def _snapshot(volume: _Volume, kind: str, pool: str) -> None:
    """The origin's own table moves to a hidden volume, a snapshot-origin takes its place."""
    origin = mapped(volume.group, volume.origin)
    spec = volume.specs[origin]
    if spec.kind == "dm-thin":
        volume.put(volume.name, spec)
        return
    real = mapped(volume.group, volume.origin, "-real")
    if spec.kind != "dm-snapshot-origin":
        volume.specs[real] = spec
        spec = DeviceSpec("dm-snapshot-origin", (real,), {"copied": 0.5})
    store = mapped(volume.group, volume.name, "-cow")
    volume.specs[store] = DeviceSpec("dm-linear", volume.disks[-1:])
    volume.put(volume.origin, DeviceSpec(spec.kind, (*spec.on, store), spec.keys))
    volume.put(volume.name, DeviceSpec("dm-snapshot", (real, store), {"copied": 0.5}))


def _cache_pool(volume: _Volume, kind: str, pool: str) -> None:
    volume.linear(volume.name or volume.origin, volume.disks[0])


_MAKERS: Mapping[str, Callable[[_Volume, str, str], None]] = {
    "linear": _linear,
    "striped": _striped,
    "raid": _raid,
    "thin-pool": _thin_pool,
    "thin": _thin,
    "snapshot": _snapshot,
    "cache-pool": _cache_pool,
}


def _lvconvert(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    """``--type cache`` and ``--type writecache`` put a fast volume before a slow one."""
    kind = given.get("--type") or ("cache" if given.has("-H", "--cache") else "")
    if kind not in ("cache", "writecache"):
        raise ValueError(f"a conversion to {kind or 'another type'} is not modelled")
    volume = _Volume(given, specs)
    fast = given.get("--cachevol", "--cachepool").rpartition("/")[2]
    path = mapped(volume.group, volume.origin)
    slow = mapped(volume.group, f"{volume.origin}_{'corig' if kind == 'cache' else 'wcorig'}")
    specs[slow] = specs[path]
    cache = mapped(volume.group, fast)
    if cache not in specs:
        raise ValueError(f"no command makes the volume {fast}")
    mode = given.get("--cachemode", default="writethrough")
    on = (slow, cache, cache) if kind == "cache" else (slow, cache)
    volume.put(
        volume.origin, DeviceSpec(f"dm-{kind}", on, {"mode": mode} if kind == "cache" else {})
    )


LVM_READERS: Mapping[str, tuple[Reader, str]] = {
    "vgcreate": (_vgcreate, "-s --physicalextentsize --metadatasize --addtag"),
    "vgextend": (_vgextend, ""),
    "lvcreate": (_lvcreate, _VALUED),
    "lvconvert": (_lvconvert, _VALUED),
}
