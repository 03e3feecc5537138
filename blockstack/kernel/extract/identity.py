"""What a kernel says of itself: release, compiler, size of its stacks."""

import re

from blockstack.kernel.extract.image import Image

_BANNER = re.compile(rb"Linux version (\S+) \([^)]*\) \(((?:[^()]|\([^)]*\))*)\) ([^\0\n]*)")


def banner(image: Image) -> re.Match[bytes] | None:
    """Release, compiler and build, as the kernel prints them; None: it does not."""
    at = image.markers.get("linux_banner")
    if at is not None:
        return _BANNER.match(image.read(at, 512))
    for section in image.sections:
        match = _BANNER.search(section.data)
        if match is not None:
            return match
    return None


def version(kernel: str) -> tuple[int, ...]:
    """The first two numbers of a release; empty: there are none."""
    match = re.search(r"(\d+)\.(\d+)", kernel)
    return tuple(int(g) for g in match.groups()) if match else ()


def thread_size(kernel: str, arch: str) -> int:
    """THREAD_SIZE: 8 KiB, and 16 KiB on x86_64 since 3.15 (commit 6538b8ea886e)."""
    number = version(kernel) if kernel.startswith("Linux ") else ()
    return 16384 if arch == "x86_64" and (not number or number >= (3, 15)) else 8192
