"""The running kernel: which build it is, its files, and a table of it that is made once."""

import struct
import threading
from pathlib import Path

import pytest

from blockstack.base.errors import BlockstackError
from blockstack.kernel.extract import running
from blockstack.kernel.extract.running import build_id, cache_folder, running_kernel, table_of

RELEASE = "6.1.0-50-amd64"
BUILD = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-01-01)"
VERSION = f"Linux version {RELEASE} (debian-kernel@lists.debian.org) (gcc-12, GNU ld) {BUILD}\n"
ID = bytes(range(20))


def note(name, kind, content):
    """One ELF note, padded as the linker does."""
    pad = b"\0" * (-len(name) % 4)
    head = struct.pack("<III", len(name), len(content), kind)
    return head + name + pad + content + b"\0" * (-len(content) % 4)


NOTES = note(b"Linux\0", 257, b"\0") + note(b"Xen\0", 3, b"x" * 20) + note(b"GNU\0", 3, ID)


@pytest.fixture
def root(tmp_path):
    """A machine whose modules are those of a small Debian server, some of them loaded."""
    for name in (
        "kernel/drivers/md/dm-mod.ko.xz",
        "kernel/drivers/md/raid1.ko.xz",
        "kernel/drivers/gpu/drm/drm.ko.xz",
        "kernel/fs/ext4/ext4.ko",
        "updates/dkms/zfs.ko",
    ):
        path = tmp_path / "lib/modules" / RELEASE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for name, text in (
        ("proc/version", VERSION),
        ("proc/modules", "dm_mod 1 2 - Live 0x0\next4 1 2 - Live 0x0\ndrm 1 1 - Live 0x0\n"),
        (f"boot/vmlinuz-{RELEASE}", "image"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "sys/kernel").mkdir(parents=True)
    (tmp_path / "sys/kernel/notes").write_bytes(NOTES)
    return tmp_path


def test_build_id():
    assert build_id(NOTES) == ID.hex()
    assert build_id(b"") == build_id(NOTES[:40]) == ""


def test_what_a_machine_says_of_its_kernel(root):
    found = running_kernel(root)
    assert (found.release, found.build_id) == (RELEASE, ID.hex())
    assert found.image == root / f"boot/vmlinuz-{RELEASE}"
    assert [path.name for path in found.modules] == ["dm-mod.ko.xz", "ext4.ko"]
    assert found.key.startswith(f"{RELEASE}-{ID.hex()[:16]}-")
    (root / "proc/modules").write_text("dm_mod 1 2 - Live 0x0\n")
    assert running_kernel(root).key != found.key


def test_ciphers_are_read_whether_they_are_loaded_or_not(root):
    path = root / "lib/modules" / RELEASE / "kernel/crypto/xts.ko.xz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert path in running_kernel(root).modules


def test_a_table_of_this_build_is_found_where_the_image_is_gone(root, monkeypatch):
    extraction(monkeypatch)
    made = table_of(running_kernel(root), root / "cache")
    (root / f"boot/vmlinuz-{RELEASE}").unlink()
    (root / "proc/modules").write_text("ext4 1 2 - Live 0x0\n")
    assert table_of(running_kernel(root), root / "cache") == made


def test_an_image_with_symbols_is_taken_first(root):
    debug = root / f"usr/lib/debug/boot/vmlinux-{RELEASE}"
    debug.parent.mkdir(parents=True)
    debug.write_text("image")
    assert running_kernel(root).image == debug


def test_no_image_says_what_to_do(root):
    (root / f"boot/vmlinuz-{RELEASE}").unlink()
    with pytest.raises(BlockstackError, match=r"no image of 6\.1\.0-50-amd64"):
        table_of(running_kernel(root), root / "cache")


def test_an_image_that_only_root_may_read_is_named(root, monkeypatch):
    monkeypatch.setattr(running.os, "access", lambda path, mode: False)
    with pytest.raises(BlockstackError, match="for root to read"):
        table_of(running_kernel(root), root / "cache")


def extraction(monkeypatch, kernel=f"Linux {RELEASE} {BUILD}"):
    """An extraction that says what it was given."""
    asked = []

    def extract(inputs, *, progress=None):
        asked.append([Path(one).name for one in inputs])
        return {"meta": {"kernel": kernel}}

    monkeypatch.setattr(running, "extract", extract)
    return asked


def test_a_table_is_made_once_whoever_asks(root, monkeypatch):
    asked = extraction(monkeypatch)
    found, folder, paths = running_kernel(root), root / "cache", []
    both = threading.Barrier(4)

    def ask():
        both.wait()
        paths.append(table_of(found, folder))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert asked == [[f"vmlinuz-{RELEASE}", "dm-mod.ko.xz", "ext4.ko"]]
    assert set(paths) == {folder / f"{found.key}.json.gz"}
    assert table_of(found, folder) == paths[0] and len(asked) == 1


def test_a_newer_image_than_runs_is_refused(root, monkeypatch):
    extraction(monkeypatch, f"Linux {RELEASE} #1 SMP Debian 6.1.180-1 (2026-03-01)")
    with pytest.raises(BlockstackError, match="waits for a reboot"):
        table_of(running_kernel(root), root / "cache")
    assert not list((root / "cache").glob("*.json.gz"))


def test_a_folder_that_cannot_be_written_is_an_error_with_a_hint(root, monkeypatch):
    extraction(monkeypatch)
    (root / "cache").write_text("a file")
    with pytest.raises(BlockstackError, match="XDG_CACHE_HOME"):
        table_of(running_kernel(root), root / "cache" / "frames")


def test_where_tables_are_kept():
    home = Path("/home/me")
    assert cache_folder({}, home) == home / ".cache/blockstack/frames"
    assert cache_folder({"XDG_CACHE_HOME": "/c"}, home) == Path("/c/blockstack/frames")
    assert cache_folder({"XDG_CACHE_HOME": "relative"}, home) == home / ".cache/blockstack/frames"
