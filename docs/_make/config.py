# ruff: noqa: E501 (tables of Markdown)
"""The config reference, written from the registry: ``python -m docs._make.config``."""

from collections.abc import Iterator

from blockstack.base.units import SECTOR_BYTES, format_bytes
from blockstack.generations import generations_with
from blockstack.kinds import KINDS, Kind
from blockstack.kinds.model import REQUIRED
from blockstack.kinds.service import DEFAULTS, KEYS

_HEAD = """# Config reference

A scenario is one TOML file (UTF-8). This page's tables are made from the registry by
`python -m docs._make.config`; a test keeps them current.

| key | meaning |
|---|---|
| `kernel` | a shipped kernel (`blockstack kernel list`) or the path of a frame table |
| `name`, `description` | for tables and plots |
| `submission` | what-if: `recursive`, `fifo`, `two-list`, `lifo`; absent: the kernel's own rule |
| `thread_size` | what-if: `"4 KiB"`, `"8 KiB"`, `"16 KiB"` |
| `host_kernel` | the host's own kernel, `"RELEASE MACHINE"` or `"unknown"` (`import` writes it): one of another series, architecture or flavour than `kernel` makes every verdict "cannot tell"; what else differs is said |
| `kernel_given` | `true`: somebody has said that `kernel` stands for the host's (`import --kernel`), whatever that is |
| `assumed` | a list of texts: what `import` took for granted about a host; said whenever the config is used |
| `[missing]` | what was left out of the stack, `NAME = "reason"`: while there is any, nothing "fits" for certain (`import` writes it) |
| `[devices.NAME]` | one table per device: `kind`, `on` (one name or a list, in member order), and the kind's parameters |
| `[devices.NAME.limits]` | queue limits that differ from the driver's: [limits](limits.md) |
| `[workload]` | what arrives, in fio's words |
| `[environment]` | what is told of the machine and its files; the rest counts as the deeper way: [below](#environment) |
| `[machine]` | for `blockstack capacity`: `cpus` (8), `ghz` (3.0), `ipc` (1.5, instructions per cycle) |

Sizes are text with a unit (`"64 KiB"`, `"100 GiB"`, fio's `"4k"`) or a number of bytes. A dm-linear
`table` is a list of `[start, length, device, offset]` in sectors of 512 bytes. A network device names
its card with `nic`; md arrays of one external-metadata container name it with `container` and may
share their disks. Unknown keys are errors; an error cites the key's path, as in
`host.toml: devices.md0.on[1]`.

## Environment

What a call path takes for granted, from 6.1 on (kernels before have no IOMMU here, no `O_SYNC`, and nothing
cached under direct I/O). Each default is the deeper way.

| key | default | meaning |
|---|---|---|
| `iommu` | `any` | what translates the devices' addresses: `none`, `intel` (VT-d), `amd` (AMD-Vi); `any`: the deeper of them |
| `swiotlb` | true | buffers may be bounced: encrypted guests, devices with a short DMA mask |
| `cached_pages` | `dirty` | pages of the file in the page cache under `O_DIRECT`: `none`, `clean`, `dirty` |
| `sync` | true | files may be opened with `O_SYNC` or `O_DSYNC` |
| `rmapbt` | true | XFS keeps a reverse map (`mkfs.xfs -m rmapbt=1`) |
| `snapshots` | true | btrfs has snapshots: a tree block may have several owners |
| `shared_extents` | true | files of XFS share extents (`cp --reflink`, `FICLONE`, deduplication) |
| `create_xattrs` | true | a new file gets a label (SELinux, Smack) or its folder's default ACL |
| `mapped_buffers` | true | direct I/O may read into or write from memory that is a file's own (mmap) |

## Workload

| key | default | meaning |
|---|---|---|
| `rw` | `randread` | `read write trim rw trimwrite` and `randread randwrite randtrim randrw randtrimwrite` |
| `bs` | `4 KiB` | one size, or a range `"4 KiB-1 MiB"` in steps of its low end |
| `bssplit` | | `"4k/60:64k/40"`, in place of `bs` |
| `rwmixread` | 50 | per cent of reads in a mixed workload |
| `direct` | false | O_DIRECT: by which entry points the bios enter the kernel |
| `fsync` | 0 | one flush for every so many writes |
| `fua`, `discard` | 0 | shares of the writes, of all bios |
| `random_distribution` | `random` | or `"zipf:1.1"`, `"pareto:0.2"` |
| `offset`, `size` | 0, to the end | where on the device |
| `bios` | 1,000,000 | how many |
| `seed` | 0 | same seed, same bios |
"""
_ROLES = {
    "source": "Sources: what issues bios (a block device without one is read and written raw)",
    "stacked": "Stacked devices",
    "leaf": "Leaves: where the bytes end",
    "nic": "Network cards",
}


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield from _HEAD.splitlines()
    for role, title in _ROLES.items():
        yield from (
            "",
            f"## {title}",
            "",
            "| kind | stands on | kernels | parameters |",
            "|---|---|---|---|",
        )
        for kind in sorted((k for k in KINDS.values() if k.role == role), key=lambda k: k.name):
            yield _row(kind)
    yield from _service()


def _service() -> Iterator[str]:
    """The keys of `service` tables, and where the defaults come from."""
    yield from (
        "",
        "## Service: how fast a device is",
        "",
        "A device may have a `service` table, for `blockstack capacity`. What it leaves out is "
        "taken from one",
        "published device of the kind, and every result says so.",
        "",
        "| key | on | meaning |",
        "|---|---|---|",
    )
    for name, key in KEYS.items():
        yield f"| `{name}` | {', '.join(key.roles)} | {key.doc} |"
    yield from ("", "| kind | defaults | source |", "|---|---|---|")
    for kind, defaults in sorted(DEFAULTS.items()):
        figures = ", ".join(f"`{k} = {v}`" for k, v in defaults.figures.items())
        yield f"| `{kind}` | {figures} | {defaults.source} |"


def _row(kind: Kind) -> str:
    least, most = kind.arity
    count = (
        "nothing"
        if most == 0
        else (
            f"{least}"
            if least == most
            else f"{least} or more"
            if most is None
            else f"{least} to {most}"
        )
    )
    own = {*generations_with(kind.calls), *generations_with(kind.entries)}
    have = ", ".join(sorted(own, key=lambda g: (len(g) < 5, g)))
    params = "; ".join(f"`{p.name}`{_default(p.name, p.default)}: {p.doc}" for p in kind.params)
    return f"| `{kind.name}`: {kind.doc} | {count} | {have or 'none'} | {params} |"


def _default(name: str, value: object) -> str:
    if value is REQUIRED:
        return " (required)"
    if name in ("chunk", "block") and isinstance(value, int) and value:  # kept in sectors
        return f" ({format_bytes(value * SECTOR_BYTES)})"
    if value is None or value == ():
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 512:
        return f" ({format_bytes(value)})" if value % 4096 == 0 else f" ({value})"
    return f" ({str(value).lower() if isinstance(value, bool) else value})"


if __name__ == "__main__":
    print("\n".join(lines()))
