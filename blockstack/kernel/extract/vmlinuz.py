"""Kernel files to ELF bytes with symbols: compressed modules, bzImage, vmlinux without symbols."""

import gzip
import io
import logging
import lzma
import zlib
from pathlib import Path

from blockstack.errors import BlockstackError

_ELF = b"\x7fELF"
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
        raise BlockstackError("is compressed with zstd", path=str(path),
                              hint="pip install 'blockstack[frames]'") from error
    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as stream:
            return bytes(stream.read())
    except zstandard.ZstdError as error:
        raise BlockstackError(f"cannot be read: {error}", path=str(path)) from error


def is_boot_image(data: bytes) -> bool:
    """A bzImage: the setup header's magic, Documentation/x86/boot.rst."""
    return data[0x202:0x206] == b"HdrS"


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
        raise BlockstackError("has no symbols; finding them needs vmlinux-to-elf", path=name,
                              hint="pip install 'blockstack[frames]'") from error
    out = io.BytesIO()
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # it tells its whole search through the root logger
    try:
        ElfSymbolizer(VmlinuzDecompressor(data).decompressed, output_stream=out)
    except (Exception, SystemExit) as error:  # another project's: it raises and exits at will
        raise BlockstackError(f"no symbols could be recovered: {error}", path=name,
                              hint="give the vmlinux of the debug package") from error
    finally:
        logging.disable(before)
    return out.getvalue()
