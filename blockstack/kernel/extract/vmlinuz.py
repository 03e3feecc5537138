"""Kernel files to ELF bytes with symbols: compressed modules, bzImage, vmlinux without symbols."""

import gzip
import io
import logging
import lzma
import struct
import zlib
from pathlib import Path

from blockstack.base.errors import BlockstackError

_ELF = b"\x7fELF"
#: lib/decompress_unlz4.c: its magic, and how much a block holds when unpacked
_LZ4_LEGACY, _LZ4_BLOCK = b"\x02\x21\x4c\x18", 8 << 20
_HINT = "give vmlinux, vmlinuz, .ko or .o files, or a folder of them"


def read_binary(path: Path) -> bytes:
    """A file's bytes, decompressed if it is a compressed module.

    Raises
    ------
    BlockstackError
        Unreadable, or the compression is damaged.
    """
    try:
        data = path.read_bytes()
        if data[:6] == b"\xfd7zXZ\0":
            return lzma.decompress(data)
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise BlockstackError(f"cannot be read: {error}", path=str(path), hint=_HINT) from error
    return _zstd(data, path) if data[:4] == b"\x28\xb5\x2f\xfd" else data


def _zstd(data: bytes, path: Path) -> bytes:
    try:
        import zstandard
    except ImportError as error:
        raise BlockstackError(
            "is compressed with zstd",
            path=str(path),
            hint="in the checkout: pip install '.[frames]'",
        ) from error
    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as stream:
            return bytes(stream.read())
    except zstandard.ZstdError as error:
        raise BlockstackError(f"cannot be read: {error}", path=str(path)) from error


def is_boot_image(data: bytes) -> bool:
    """A bzImage: the setup header's magic, Documentation/x86/boot.rst."""
    return data[0x202:0x206] == b"HdrS"


def _lz4_payload(data: bytes) -> bytes | None:
    """What a boot image holds in lz4's legacy format, which vmlinux-to-elf does not look for.

    ``setup_sects``, ``payload_offset`` and ``payload_length`` of the setup header
    (Documentation/arch/x86/boot.rst); the last word of the payload is its size, unpacked. None:
    it is packed otherwise.
    """
    if not is_boot_image(data):
        return None
    offset, length = struct.unpack_from("<II", data, 0x248)
    at = ((data[0x1F1] or 4) + 1) * 512 + offset
    payload = data[at : at + length]
    if payload[:4] != _LZ4_LEGACY:
        return None
    import lz4.block  # vmlinux-to-elf brings it

    out, here = [], 4
    while here + 4 < len(payload) - 4:
        size = int.from_bytes(payload[here : here + 4], "little")
        out.append(
            lz4.block.decompress(payload[here + 4 : here + 4 + size], uncompressed_size=_LZ4_BLOCK)
        )
        here += 4 + size
    return b"".join(out)


def with_symbols(data: bytes, name: str) -> bytes:
    """An ELF file of a boot image, or of a kernel whose symbols were stripped.

    The symbols are the kernel's own kallsyms, found by vmlinux-to-elf.

    Raises
    ------
    BlockstackError
        Not a kernel, no kallsyms in it, or the extra is not installed.
    """
    if data[:4] != _ELF and not is_boot_image(data):
        raise BlockstackError("is neither an ELF file nor a kernel image", path=name, hint=_HINT)
    try:
        from vmlinux_to_elf.core.auto_unpack import VmlinuzDecompressor
        from vmlinux_to_elf.core.elf_symbolizer import ElfSymbolizer
    except ImportError as error:
        raise BlockstackError(
            "has no symbols; finding them needs vmlinux-to-elf",
            path=name,
            hint="in the checkout: pip install '.[frames]'",
        ) from error
    out = io.BytesIO()
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # it tells its whole search through the root logger
    try:
        unpacked = _lz4_payload(data) or VmlinuzDecompressor(data).decompressed
        ElfSymbolizer(unpacked, output_stream=out)
    except (Exception, SystemExit) as error:  # another project's: it raises and exits at will
        raise BlockstackError(
            f"no symbols could be recovered: {error}",
            path=name,
            hint="give the vmlinux of the debug package",
        ) from error
    finally:
        logging.disable(before)
    return out.getvalue()
