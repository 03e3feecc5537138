"""File systems as ``mkfs`` and ``mount`` name them: which options change the path of a bio."""

from collections.abc import Sequence
from typing import Any

from blockstack.commands.dm_table import DeviceSpec
from blockstack.commands.shell import Options, Simple, options

#: options of mkfs that are followed by a value
_VALUED = {
    "ext4": "-b -C -d -e -E -g -G -i -I -J -l -L -m -M -N -o -O -r -t -T -U -z",
    "xfs": "-b -d -i -l -L -m -n -p -r -s",
    "btrfs": "-A -b -d -m -n -s -L -O -R -U -r --byte-count --data --metadata --nodesize "
    "--sectorsize --label --features --runtime-features --uuid --rootdir --csum "
    "--checksum",
    "vfat": "-b -D -f -F -g -h -i -l -m -M -n -r -R -s -S --codepage --offset --variant",
    "f2fs": "-a -c -C -d -e -E -g -l -o -O -R -s -t -T -w -z -U",
}
#: features and options whose path is not the one that the model takes
_OTHER_PATHS = {
    "ext4": (
        "inline_data",
        "^extent",
        "^extents",
        "encrypt",
        "verity",
        "quota",
        "bigalloc",
        "^has_journal",
        "fast_commit",
        "journal_dev",
        "device=",
    ),
    "xfs": ("logdev=", "rtdev=", "rmapbt=1", "realtime=1"),
    "btrfs": ("zoned", "quota", "^free-space-tree", "raid-stripe-tree"),
    "f2fs": ("encrypt", "verity", "quota", "compression", "project_quota"),
}
_OTHER_MOUNTS = (
    "sync",
    "dirsync",
    "flush",
    "dax",
    "dax=always",
    "data=journal",
    "nodelalloc",
    "usrquota",
    "grpquota",
    "prjquota",
    "quota",
    "uquota",
    "gquota",
    "pquota",
    "logdev=",
    "rtdev=",
    "nodatacow",
    "autodefrag",
    "space_cache=v1",
    "space_cache",
    "jqfmt=",
    "fast_commit",
    "compress_algorithm=",
    "checkpoint=disable",
    "mode=lfs",
    "inlinecrypt",
    "test_dummy_encryption",
)
#: names of mkfs's: blkid and mount call all of them vfat
_DRIVER = {"fat": "vfat", "msdos": "vfat"}
_PROFILES = ("single", "dup", "raid0", "raid1", "raid1c3", "raid1c4", "raid10")


def mkfs_spec(simple: Simple) -> DeviceSpec:
    """What a ``mkfs`` command puts on its devices.

    Raises
    ------
    ValueError
        Options that lead to a path which the model does not have.
    """
    kind = simple.tool.partition(".")[2] or ("ext2" if simple.tool == "mke2fs" else "")
    kind = _DRIVER.get(kind, kind)
    given = options(simple.words, _VALUED.get(kind, "").split() if kind else ("-t",))
    if simple.tool in ("mkfs", "mke2fs") and given.get("-t"):
        kind = _DRIVER.get(given.get("-t"), given.get("-t"))
        given = options(simple.words, ("-t", *_VALUED.get(kind, "").split()))
    devices = tuple(w for w in given.words if w.startswith("/"))  # or a file: an image
    if not kind or not devices:
        raise ValueError("no file system or no device")
    asked = [word for _, value in given.pairs for word in value.split(",")]
    _refuse(kind, asked, _OTHER_PATHS.get(kind, ()))
    if kind != "btrfs":
        if len(devices) > 1 or (kind == "f2fs" and given.has("-c")):
            raise ValueError(f"{kind} over several devices is not modelled")
        return DeviceSpec(kind, devices)
    return DeviceSpec(kind, devices, {"profile": _profile(given, len(devices))})


def _profile(given: Options, n_devices: int) -> str:
    """Of btrfs's data; its trees' own is reached on the same devices."""
    for profile in (
        given.get("-m", "--metadata", default="single"),
        given.get("-d", "--data", default="single"),
    ):
        if profile.lower() not in _PROFILES:
            raise ValueError(f"btrfs profile {profile} is not modelled")
    return given.get("-d", "--data", default="single").lower()


def _refuse(kind: str, said: Sequence[str], others: Sequence[str]) -> None:
    for word in said:
        for other in others:
            if word == other or (other.endswith("=") and word.startswith(other)):
                raise ValueError(f"{kind} with {word} is not modelled")


def mount_keys(kind: str, said: Sequence[str], devices: Sequence[str]) -> dict[str, Any]:
    """Keys of a mounted file system that its mount options decide.

    Raises
    ------
    ValueError
        Options that lead to a path which the model does not have.
    """
    _refuse(kind, said, _OTHER_MOUNTS)
    keys: dict[str, Any] = {}
    for word in said:
        name, _, value = word.partition("=")
        if (
            name in ("compress", "compress-force")
            and kind == "btrfs"
            and value not in ("no", "none")
        ):
            keys["compress"] = value.partition(":")[0] or "zlib"
        elif name == "device" and value not in devices:
            raise ValueError(f"no command makes {value} a device of this file system")
    return keys


def nfs_keys(kind: str, said: Sequence[str]) -> dict[str, Any]:
    """The version of a mounted NFS; mount.nfs starts at 4.2.

    Raises
    ------
    ValueError
        A transport or a security flavour that the model does not have.
    """
    given = dict(word.partition("=")[::2] for word in said)
    version = given.get("vers", given.get("nfsvers", "4")).partition(".")[0]
    if version not in ("3", "4"):
        raise ValueError(f"NFS version {version} is not modelled")
    if given.get("proto", "tcp") not in ("tcp", "tcp6") or given.get("sec", "sys") != "sys":
        raise ValueError("NFS over another transport than TCP, or with security, is not modelled")
    if "sync" in given:
        raise ValueError("a synchronous mount is not modelled")
    return {"version": int(version)}
