"""Commands that build block devices: mdadm, bcache, DRBD, cryptsetup and its kin, zram, /sys.

Each reader takes one simple command and adds specs; it raises ValueError, with the reason, for
what the model does not follow. What a command leaves for later ones (bcache's caches) is
kept among the specs under names that are no paths.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blockstack.commands.dm_table import DeviceSpec, kcryptd_sides, linear_spec, target_spec
from blockstack.commands.lvm import LVM_READERS
from blockstack.commands.shell import Options, Simple

DeviceSpecs = dict[str, DeviceSpec]
Reader = Callable[[Simple, Options, DeviceSpecs, Mapping[str, list[str]]], None]
_MAPPER = "/dev/mapper/"


def expanded(words: Sequence[str]) -> list[str]:
    """``/dev/vd{b,c}`` and ``/dev/vd[b-d]``, as a shell expands them."""
    found: list[str] = []
    for word in words:
        braces = re.search(r"\{([^{}]*,[^{}]*)\}|\[([a-z0-9])-([a-z0-9])\]|\[([a-z0-9]+)\]", word)
        if braces is None or not word.startswith("/dev/"):
            found.append(word)
            continue
        if braces[1] is not None:
            parts = braces[1].split(",")
        elif braces[2] is not None:
            parts = [chr(c) for c in range(ord(braces[2]), ord(braces[3]) + 1)]
        else:
            parts = list(braces[4])
        found += expanded([word[: braces.start()] + part + word[braces.end() :] for part in parts])
    return found


def _dmsetup(
    simple: Simple, given: Options, specs: DeviceSpecs, stores: Mapping[str, list[str]]
) -> None:
    words = list(given.words)
    action = words.pop(0) if words else ""
    if action in ("load", "reload"):
        raise ValueError("a table that is loaded over another is not followed")
    if action != "create":
        return
    text = given.get("--table", default=simple.text_in)
    rows = [line.split() for line in text.splitlines() if line.strip()]
    if not rows or len(words) != 1:
        raise ValueError("the table is neither in --table nor piped in")
    name = words[0].removeprefix(_MAPPER)
    specs[_MAPPER + name] = target_spec(rows[0], stores) if len(rows) == 1 else linear_spec(rows)


# --- md ------------------------------------------------------------------------------------------
_LEVELS = {"stripe": "0", "mirror": "1"}
_MD_VALUED = (
    "-l --level -n --raid-devices -c --chunk -p --layout --parity -b --bitmap -x "
    "--spare-devices -e --metadata -N --name --homehost --write-journal -k "
    "--consistency-policy -z --size --bitmap-chunk --rounding -a --add --auto "
    "--data-offset -u --uuid --backup-file --symlinks --update"
)
_NOT_FOLLOWED = {"--write-journal": "a journal device", "--write-behind": "write-behind"}


def _mdadm(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    words = expanded(given.words)
    if given.has("--create", "-C", "--build", "-B"):
        if not words:
            raise ValueError("names no array")
        specs[words[0]] = _array(given, words[1:])
    elif given.has("--grow", "-G"):
        if not (given.get("--bitmap", "-b") and words) or given.has("--level", "-l", "-n"):
            raise ValueError("an array that changes its form is not modelled")
        specs[words[0]] = _with(specs[words[0]], bitmap=_bitmap(given))
    elif given.has("--fail", "--set-faulty") or (given.has("-f") and len(words) > 1):
        specs[words[0]] = _failing(specs[words[0]], words[1:])


def _with(spec: DeviceSpec, **keys: Any) -> DeviceSpec:
    return DeviceSpec(spec.kind, spec.on, {**spec.keys, **keys})


def _bitmap(given: Options) -> str:
    return "none" if given.get("--bitmap", "-b", default="none") == "none" else "internal"


def _array(given: Options, members: list[str]) -> DeviceSpec:
    level = given.get("--level", "-l").removeprefix("raid")
    level = _LEVELS.get(level, level)
    if level not in ("linear", "0", "1", "4", "5", "6", "10"):
        raise ValueError(f"level {level!r} is not modelled" if level else "no level")
    for option, word in _NOT_FOLLOWED.items():
        if given.has(option):
            raise ValueError(f"{word} is not modelled")
    if given.get("--consistency-policy", "-k") in ("ppl", "journal"):
        raise ValueError("a partial parity log or journal is not modelled")
    count = given.get("--raid-devices", "-n")
    if count.isdigit():
        members = members[: int(count)]  # what follows is spare: no I/O of the array's goes there
    keys: dict[str, Any] = {}
    chunk = given.get("--chunk", "-c").upper().removesuffix("B").removesuffix("I")
    if chunk and level not in ("1", "linear"):
        unit = {"M": "MiB", "G": "GiB"}.get(chunk[-1:], "KiB")
        keys["chunk"] = f"{chunk.rstrip('KMG')} {unit}"
    if level not in ("0", "linear") and _bitmap(given) == "internal":
        keys["bitmap"] = "internal"
    layout = given.get("--layout", "-p", "--parity")
    if layout and level == "10":  # of raid5 and raid6: which member, not which path
        keys["layout"] = layout
    missing = [i for i, m in enumerate(members) if m == "missing"]
    if missing and level in ("4", "5", "6"):  # a mirror simply has fewer members
        keys["failed"] = missing
    kind = f"md-raid{level}" if level.isdigit() else f"md-{level}"
    return DeviceSpec(kind, tuple(m for m in members if m != "missing" or "failed" in keys), keys)


def _failing(array: DeviceSpec, failed: Sequence[str]) -> DeviceSpec:
    """An array some members of which have failed."""
    gone = {i for i, member in enumerate(array.on) if member in failed}
    if array.kind in ("md-raid4", "md-raid5", "md-raid6"):
        return _with(array, failed=sorted({*array.keys.get("failed", ()), *gone}))
    if array.kind != "md-raid1":
        raise ValueError(f"failed members of {array.kind} are not modelled")
    return DeviceSpec(array.kind, tuple(m for m in array.on if m not in failed), array.keys)


# --- bcache --------------------------------------------------------------------------------------
_CACHE = "bcache's cache"
_BCACHE_VALUED = "-b --bucket -w --block -o --data-offset --cset-uuid --cache_replacement_policy"
_BCACHE = re.compile(r"/sys/(?:block|class/block)/(bcache\d+)/bcache/(\w+)\Z")


def _make_bcache(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    """-C and -B are followed by one device or several."""
    if simple.tool == "bcache" and simple.words[:1] != ("make",):
        return
    lists: dict[str, list[str]] = {"-C": [], "-B": []}
    words = expanded([w for w in simple.words if w != "make"])
    now = ""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in ("-C", "--cache", "-B", "--bdev"):
            now = {"--cache": "-C", "--bdev": "-B"}.get(word, word)
        elif word.startswith("-"):
            skip = word in _BCACHE_VALUED.split()
        elif now:
            lists[now].append(word)
    if len(lists["-C"]) > 1:
        raise ValueError("a set of several caches is not modelled")
    if lists["-C"]:
        specs[_CACHE] = DeviceSpec("cache", tuple(lists["-C"]))
    mode = "writeback" if "--writeback" in words else "writethrough"
    for backing in lists["-B"]:
        number = sum(path.startswith("/dev/bcache") for path in specs)
        specs[f"/dev/bcache{number}"] = DeviceSpec(
            "bcache", (backing, *lists["-C"]), {"mode": mode}
        )


def _bcache_file(device: str, file: str, value: str, specs: DeviceSpecs) -> None:
    spec = specs[f"/dev/{device}"]
    if file == "attach":
        spec = DeviceSpec(spec.kind, (spec.on[0], *specs[_CACHE].on), spec.keys)
    elif file == "detach":
        raise ValueError("bcache without a cache is not modelled")
    elif file == "cache_mode":
        spec = _with(spec, mode=value)
    specs[f"/dev/{device}"] = spec


# --- DRBD ----------------------------------------------------------------------------------------
_DRBD = "DRBD's disks"


def _written_disk(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    """``dd of=``: the disk that is wiped before DRBD, whose configuration no command shows."""
    for word in simple.words:
        if word.startswith("of=/dev/"):
            specs[_DRBD] = DeviceSpec("disk", (word.removeprefix("of="),))


def _drbdadm(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    """Without its configuration: device 0, on the disk that was wiped for it, not connected."""
    if given.words[:1] in (("up",), ("attach",), ("primary",), ("create-md",)):
        disk = specs[_DRBD].on if _DRBD in specs else ("/dev/vdb",)
        specs.setdefault("/dev/drbd0", DeviceSpec("drbd", disk))


def _drbdsetup(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    words = given.words
    if words[:1] == ("attach",):
        if len(words) < 4:
            raise ValueError("drbdsetup attach takes: minor, disk, metadata disk, index")
        minor, disk, meta = words[1:4]
        on = (disk,) if meta in (disk, "internal") else (disk, meta)
        specs[f"/dev/drbd{minor}"] = DeviceSpec("drbd", on)
    elif words[:1] == ("net-options",) or words[:1] == ("new-peer",):
        protocol = given.get("--protocol")
        for path, spec in specs.items():
            if spec.kind == "drbd" and protocol:
                specs[path] = _with(spec, protocol=protocol)


# --- cryptsetup and its kin ----------------------------------------------------------------------
_CRYPT_VALUED = (
    "-c --cipher -d --key-file -h --hash -s --key-size -l --keyfile-size --type -o "
    "--offset -p --skip -b --size -i --iter-time --pbkdf --sector-size --header "
    "-S --key-slot --master-key-file --volume-key-file --integrity --pbkdf-memory "
    "--pbkdf-parallel --pbkdf-force-iterations --label --uuid"
)
_INTEGRITY_VALUED = (
    "--integrity -I --tag-size -t --sector-size -s --journal-size -j "
    "--journal-watermark --journal-commit-time --data-device "
    "--integrity-key-file --integrity-key-size --interleave-sectors "
    "--buffer-sectors -b --bitmap-sectors-per-bit --bitmap-flush-time "
    "--progress-frequency"
)
_VERITY_VALUED = (
    "--data-block-size --hash-block-size --data-blocks --hash-offset --salt -s -h "
    "--hash --format --uuid --fec-device --fec-offset --fec-roots --root-hash-file"
)
_OPEN = ("open", "luksOpen", "plainOpen", "loopaesOpen", "tcryptOpen", "bitlkOpen")


def _cryptsetup(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    words = given.words
    if given.has("--integrity"):
        raise ValueError("authenticated encryption is not modelled")
    if words[:1] == ("create",):  # the old form names the mapping first
        words = ("open", *reversed(words[1:3]))
    if words[:1] and words[0] in _OPEN:
        if len(words) < 3:
            raise ValueError("names no device and mapping")
        flags = [name.removeprefix("--perf-") for name, _value in given.pairs]
        specs[_MAPPER + words[2]] = DeviceSpec(
            "dm-crypt", (words[1],), {"workqueue": kcryptd_sides(flags)}
        )


def _integritysetup(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    words = given.words
    if given.has("--data-device"):
        raise ValueError("a separate metadata device is not modelled")
    if words[:1] in (("open",), ("create",)):
        device, name = words[1:3] if words[0] == "open" else reversed(words[1:3])
        mode = "journal"
        if given.has("--integrity-bitmap-mode", "-B"):
            mode = "bitmap"
        elif given.has("--integrity-no-journal", "-D"):
            mode = "direct"
        elif given.has("--integrity-recovery-mode", "-R"):
            raise ValueError("recovery mode is not modelled")
        specs[_MAPPER + name] = DeviceSpec("dm-integrity", (device,), {"mode": mode})


def _veritysetup(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    words = given.words
    if words[:1] in (("open",), ("create",)):
        if given.has("--fec-device"):
            raise ValueError("forward error correction is not modelled")
        data, name, hashes = words[1:4] if words[0] == "open" else (words[2], words[1], words[3])
        specs[_MAPPER + name] = DeviceSpec("dm-verity", (data, hashes))


# --- zram and /sys -------------------------------------------------------------------------------
_ZRAM = re.compile(r"/sys/block/zram(\d+)/(\w+)\Z")
_QUEUE = re.compile(r"/sys/(?:block|class/block)/(\w+)/queue/(\w+)\Z")


def _zramctl(simple: Simple, given: Options, specs: DeviceSpecs, _: object) -> None:
    _compressor(given.get("--algorithm", "-a", default="lzo-rle"))


def _compressor(name: str) -> None:
    if name not in ("lzo-rle", "lzo"):
        raise ValueError(f"zram's compressor {name} is not modelled: the model has lzo-rle")


def followed(path: str) -> bool:
    """Whether `written` knows the file."""
    return any(pattern.match(path) for pattern in (_BCACHE, _ZRAM, _QUEUE))


def written(value: str, path: str, specs: DeviceSpecs) -> None:
    """``echo VALUE > PATH``: some files of /sys change what stands where.

    Raises
    ------
    ValueError
        The model does not follow that change.
    """
    value = value.strip()
    cached, zram, queue = (p.match(path) for p in (_BCACHE, _ZRAM, _QUEUE))
    if cached:
        _bcache_file(cached[1], cached[2], value, specs)
    elif zram and zram[2] == "comp_algorithm":
        _compressor(value)
    elif zram and zram[2] == "backing_dev":
        raise ValueError("zram with a backing device is not modelled")
    elif queue and queue[2] == "scheduler" and value != "mq-deadline":
        raise ValueError(f"scheduler {value} is not modelled: the model has mq-deadline")


STORAGE_READERS: Mapping[str, tuple[Reader, str]] = {
    "dmsetup": (_dmsetup, "--table -u --uuid --addnodeoncreate -c --concise"),
    "mdadm": (_mdadm, _MD_VALUED),
    "make-bcache": (_make_bcache, _BCACHE_VALUED),
    "bcache": (_make_bcache, _BCACHE_VALUED),
    "dd": (_written_disk, ""),
    "drbdadm": (_drbdadm, ""),
    "drbdsetup": (_drbdsetup, "--protocol"),
    "cryptsetup": (_cryptsetup, _CRYPT_VALUED),
    "integritysetup": (_integritysetup, _INTEGRITY_VALUED),
    "veritysetup": (_veritysetup, _VERITY_VALUED),
    "zramctl": (_zramctl, "-a --algorithm -s --size -t --streams -o --output"),
    **LVM_READERS,
}
