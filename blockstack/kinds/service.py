"""How fast devices are: the keys of a ``service`` table, and defaults with their sources.

A default is a figure of one published device of the kind, not a property of the kind: every result
that rests on one names it as assumed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from blockstack.base.errors import ConfigError
from blockstack.base.hints import check_keys
from blockstack.base.units import parse_ns, parse_rate
from blockstack.kinds.model import Kind
from blockstack.kinds.params import choice, duration_ns, fraction, integer, sectors, size_bytes

Parse = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Key:
    """One key of a ``service`` table: what it means, and on which roles it stands."""

    parse: Parse
    doc: str
    roles: tuple[str, ...] = ("leaf",)


def _rate(value: Any, path: str) -> int:
    rate: int = parse_rate(value, path)
    if not rate:
        raise ConfigError("must be above 0", path=path, value=value)
    return rate


def _samples(value: Any, path: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ConfigError(
            "must be a list of times",
            path=path,
            value=value,
            hint='write ["80 us", "95 us", "2 ms"]',
        )
    times = tuple(parse_ns(one, f"{path}[{i}]") for i, one in enumerate(value))
    if not any(times):
        raise ConfigError("must hold a time above 0", path=path, value=value)
    return times


KEYS: Mapping[str, Key] = {
    "media": Key(
        choice("ssd", "disk", "memory"),
        "what holds the bytes: `ssd`, `disk` (moving heads) or `memory`",
    ),
    "read_latency": Key(duration_ns, "mean time of a read on the media, transfer apart"),
    "write_latency": Key(duration_ns, "mean time until a write is acknowledged, transfer apart"),
    "program": Key(
        duration_ns, "ssd: how long a write then keeps a channel busy, behind the acknowledgement"
    ),
    "write_buffer": Key(integer(0, 65536), "writes that may be acknowledged and not programmed"),
    "flush_latency": Key(duration_ns, "a flush, and what FUA adds to a write"),
    "distribution": Key(
        choice("constant", "exponential", "pages"),
        "of the latencies; `pages`: 0.75, 1 and 1.25 of the mean, the pages of a TLC cell",
    ),
    "samples": Key(
        _samples,
        "measured latencies: the shape of their histogram, in place of "
        "`distribution`; the means stay `read_latency` and `write_latency`",
    ),
    "channels": Key(
        integer(1, 65536), "ssd: dies, each with a queue of its own for the places that it holds"
    ),
    "bandwidth": Key(
        _rate,
        "leaf: reads and transfers; nic: each direction; dm-crypt, raid4/5/6: of one core",
        ("leaf", "nic", "stacked"),
    ),
    "write_bandwidth": Key(_rate, "where writes are slower than `bandwidth`"),
    "max_request": Key(sectors(8, 2**21), "largest request (max_sectors_kb); larger bios are cut"),
    "queue_depth": Key(integer(1, 65536), "requests that the device takes at once"),
    "scheduler": Key(
        choice("none", "deadline"),
        "`deadline` merges waiting requests that go on "
        "where another ends (back merges of mq-deadline)",
    ),
    "rpm": Key(integer(1000, 100_000), "disk: rotations per minute"),
    "seek": Key(duration_ns, "disk: average seek"),
    "track_seek": Key(duration_ns, "disk: seek to the next track"),
    "hit_ratio": Key(fraction, "share of the reads that a cache answers"),
    "hit_latency": Key(duration_ns, "a read that the cache answers"),
    "first_burst": Key(
        size_bytes(512, 2**24),
        "what a write sends without being asked: iscsi's "
        "FirstBurstLength; nvme-tcp's in-capsule size, above which nothing is sent",
    ),
    "max_burst": Key(
        size_bytes(512, 2**24),
        "what it sends each time that it is asked (R2T): "
        "iscsi's MaxBurstLength; nvme-tcp: absent, all at once",
    ),
    "send_buffer": Key(
        size_bytes(4096, 2**26),
        "drbd: `sndbuf-size`, what may be under way to the peer",
        ("stacked",),
    ),
    "max_buffers": Key(
        integer(32, 131072),
        "drbd: `max-buffers`, pages of 4 KiB that the peer has received and not written",
        ("stacked",),
    ),
    "rtt": Key(duration_ns, "round trip time", ("nic",)),
    "cpu": Key(duration_ns, "CPU time per bio, in place of the estimate", ("leaf", "stacked")),
    "stripe_cache": Key(
        integer(17, 32768),
        "raid4/5/6: `stripe_cache_size`, pages of every member that are held",
        ("stacked",),
    ),
    "threads": Key(
        integer(1, 1024),
        "threads of the device's worker (raid4/5/6: group_thread_cnt)",
        ("stacked",),
    ),
}


def read_service(kind: Kind, table: Any, path: str) -> Mapping[str, Any]:
    """The checked values of a ``service`` table.

    Raises
    ------
    ConfigError
        Unknown keys, keys of another role, values that cannot be.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(
            "not a table", path=path, value=table, hint='write service = { read_latency = "80 us" }'
        )
    check_keys(table, [name for name, key in KEYS.items() if kind.role in key.roles], path)
    return {name: KEYS[name].parse(value, f"{path}.{name}") for name, value in table.items()}


@dataclass(frozen=True)
class Defaults:
    """Figures of one published device, and where they were published."""

    source: str
    figures: Mapping[str, Any]


_NVME = Defaults(
    "Intel SSD DC P4500 2 TB, Lenovo product guide: random read 85 us and 490,000 IOPS, write "
    "20 us and 38,000 IOPS, 3.2 and 1.05 GB/s; channels and program time follow from these",
    {
        "media": "ssd",
        "read_latency": "85 us",
        "write_latency": "20 us",
        "channels": 42,
        "program": "1105 us",
        "write_buffer": 1024,
        "bandwidth": "3.2 GB/s",
        "write_bandwidth": "1.05 GB/s",
        "queue_depth": 1023,
        "flush_latency": "20 us",
        "distribution": "pages",
    },
)
_SATA_SSD = Defaults(
    "Intel SSD DC S4500 product specification: random read 110 us and 72,000 IOPS, write 52 us and "
    "33,000 IOPS, 500 and 490 MB/s; channels and program time follow from these",
    {
        "media": "ssd",
        "read_latency": "110 us",
        "write_latency": "52 us",
        "channels": 8,
        "program": "242 us",
        "write_buffer": 256,
        "bandwidth": "500 MB/s",
        "write_bandwidth": "490 MB/s",
        "queue_depth": 32,
        "flush_latency": "52 us",
        "distribution": "pages",
    },
)
_DISK = Defaults(
    "WD Ultrastar DC HC310 specification: 7,200 rpm, average seek 7.4 ms, single track 0.23 ms; "
    "200 MB/s and write cache off are assumed",
    {
        "media": "disk",
        "rpm": 7200,
        "seek": "7400 us",
        "track_seek": "230 us",
        "bandwidth": "200 MB/s",
        "queue_depth": 32,
        "flush_latency": "0 us",
    },
)
# nothing to wait for: what these cost is CPU time, in the measured figures
_MEMORY = Defaults(
    "memory: its time is CPU time, counted with the layer",
    {"media": "memory", "queue_depth": 1024, "flush_latency": "0 us"},
)
_BRD = Defaults(
    "memory: its time is CPU time, counted with the layer; 10 GB/s of one core is assumed",
    {**_MEMORY.figures, "bandwidth": "10 GB/s"},
)
_ZRAM = Defaults(
    "memory; lzo-rle, the default of 6.1: 670 MB/s compressed and 860 MB/s restored by one core "
    "are assumed",
    {**_MEMORY.figures, "bandwidth": "860 MB/s", "write_bandwidth": "670 MB/s"},
)
_ISCSI = Defaults(
    _SATA_SSD.source + "; as the target's disk. open-iscsi usr/iscsi_settings.h: QUEUE_DEPTH 32, "
    "FirstBurstLength 262144, MaxBurstLength 16776192",
    {**_SATA_SSD.figures, "queue_depth": 32, "first_burst": 262144, "max_burst": 16776192},
)
_NBD = Defaults(
    _SATA_SSD.source + "; as the server's disk. drivers/block/nbd.c: queue_depth 128",
    {**_SATA_SSD.figures, "queue_depth": 128},
)
_NVME_TCP = Defaults(
    _NVME.source + "; as the target's disk. NVMF_DEF_QUEUE_SIZE 128 (6.1 drivers/nvme/host/"
    "fabrics.h), NVMET_TCP_DEF_INLINE_DATA_SIZE 16 KiB (6.1 drivers/nvme/target/tcp.c)",
    {**_NVME.figures, "queue_depth": 128, "first_burst": 16384},
)
_DRBD = Defaults(
    "DRBD_MAX_BUFFERS_DEF 2048 (6.1 include/linux/drbd_limits.h); sndbuf-size 0 is TCP's own "
    "tuning, to 4 MiB (tcp_wmem, 6.1 net/ipv4/tcp.c tcp_init)",
    {"send_buffer": 4 * 2**20, "max_buffers": 2048},
)
_NIC = Defaults(
    "assumed: 10 Gbit/s Ethernet, 100 us round trip", {"bandwidth": "10 Gbit/s", "rtt": "100 us"}
)
NO_DEFAULTS = Defaults("", {})

DEFAULTS: Mapping[str, Defaults] = {
    "nvme": _NVME,
    "virtio-blk": _NVME,
    "scsi": _DISK,
    "brd": _BRD,
    "null_blk": _MEMORY,
    "zram": _ZRAM,
    "dm-zero": _MEMORY,
    "iscsi": _ISCSI,
    "nbd": _NBD,
    "nvme-tcp": _NVME_TCP,
    "nic": _NIC,
    "drbd": _DRBD,
}
#: what `media` alone brings on a leaf whose kind has another one
BY_MEDIA: Mapping[str, Defaults] = {"ssd": _SATA_SSD, "disk": _DISK, "memory": _MEMORY}


def defaults_of(kind: Kind, given: Mapping[str, Any]) -> Defaults:
    """The published figures that fill what ``given`` leaves open."""
    own = DEFAULTS.get(kind.name, BY_MEDIA["disk"] if kind.role == "leaf" else NO_DEFAULTS)
    media = given.get("media", own.figures.get("media"))
    found = own if media == own.figures.get("media") else BY_MEDIA[media]
    return Defaults(
        found.source, {name: KEYS[name].parse(value, name) for name, value in found.figures.items()}
    )
