"""fio's words: what they move, which of fio's own options are no keys here, and checked numbers."""

from collections.abc import Mapping

from blockstack.base.errors import ConfigError

# fio's words: (random, reads, writes, discards); mixed words divide by rwmixread
RW_WORDS: Mapping[str, str] = {
    "read": "r",
    "write": "w",
    "trim": "d",
    "rw": "rw",
    "readwrite": "rw",
    "trimwrite": "dw",
    "randread": "r",
    "randwrite": "w",
    "randtrim": "d",
    "randrw": "rw",
    "randtrimwrite": "dw",
}
#: fio's option → what to write instead in a config
FIO_HINTS: Mapping[str, str] = {
    "ioengine": "the kernel's path is the same for every engine: leave it out",
    "iodepth": "depth needs none, `blockstack capacity` takes --iodepth: leave it out",
    "numjobs": "depth needs none, `blockstack capacity` takes --numjobs: leave it out",
    "rate_iops": "`blockstack capacity` takes --rate-iops: leave it out",
    "thinktime": "`blockstack capacity` takes --thinktime: leave it out",
    "filename": "the roots of the stack are the files: leave it out",
    "runtime": "write bios = N",
    "number_ios": "write bios = N",
    "bsrange": 'write bs = "4 KiB-1 MiB"',
    "blocksize": "write bs",
    "readwrite": "write rw",
    "randseed": "write seed",
}


def whole(value: object, path: str, least: int, most: int) -> int:
    """A whole number within its bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"must be a whole number from {least} to {most}", path=path, value=value)
    return value


def check_share(value: object, path: str) -> None:
    """Refuse what is no share from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError("must be a share from 0 to 1", path=path, value=value)
