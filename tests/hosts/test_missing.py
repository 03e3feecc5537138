"""What is not seen or not understood counts as missing, and makes no verdict better."""

import pytest
from host_sources import LSBLK, kinds, links, read, stack

from blockstack.engine.depth.explain import explain
from blockstack.hosts.build import build
from blockstack.hosts.model.host import Host
from blockstack.hosts.model.tree import FolderTree
from blockstack.hosts.sniff import read_tree
from blockstack.kernel import PROFILES
from blockstack.stack import Stack


def rows(*lines):
    """A host as ``lsblk`` prints it: ``name number type size [fstype mountpoint]``, the level by
    leading blanks."""
    head = "NAME                           MAJ:MIN RM  SIZE RO TYPE    FSTYPE MOUNTPOINT"
    out = [head]
    for line in lines:
        name, number, size, kind, *rest = line.split()
        level = (len(line) - len(line.lstrip())) // 2
        tree = "  " * (level - 1) + "└─" * bool(level) + name
        fstype, where = ["" if word == "-" else word for word in (*rest, "-", "-")][:2]
        out.append(f"{tree:31}{number:>7} 0 {size:>6}  0 {kind:8}{fstype:<7}{where}".rstrip())
    return "\n".join(out) + "\n"


ROOT = ("nvme0n1 259:0 40G disk", "  nvme0n1p1 259:1 40G part ext4 /")
ON_LVM = ("nvme1n1 259:2 9G disk LVM2_member",)


@pytest.mark.parametrize(
    "line",
    [
        "rbd0 252:0 9G disk",
        "zd0 230:0 9G disk",
        "mmcblk0 179:0 9G disk",
        "xvda 202:0 9G disk",
        "sr0 11:0 4.3G rom",
        "oddity 240:0 9G disk",
        "odd 253:9 9G dm",
    ],
)
def test_a_top_device_of_unknown_kind_is_missing(line):
    found = stack(rows(*ROOT, line), skip=["unknown"])
    assert list(found.stack.missing) == [line.split()[0]]
    assert explain(found.stack, kernel="linux-6.1-x86_64").fits is None


@pytest.mark.parametrize("line", ["sr0 11:0 1024M rom", "fd0 2:0 4K disk", "loop0 7:0 0B loop"])
def test_a_drive_without_a_medium_carries_nothing(line):
    assert not stack(rows(*ROOT, line)).stack.missing


@pytest.mark.parametrize("kind", ["vdo", "stratis", "dm"])
def test_what_device_mapper_made_for_others_is_no_linear_volume(kind):
    found = stack(rows(*ROOT, *ON_LVM, f"  some-name 253:2 9G {kind}"), skip=["unknown"])
    assert list(found.stack.missing) == ["some-name"]


@pytest.mark.parametrize(
    "signature", ["zfs_member", "crypto_LUKS", "LVM2_member", "linux_raid_member", "bcache", "vdo"]
)
def test_a_signature_without_its_device_is_a_stack_that_no_source_shows(signature):
    found = stack(rows(*ROOT, f"nvme1n1 259:2 9G disk {signature}"))
    assert list(found.stack.missing) == [f"{signature} on nvme1n1"]
    assert not stack(rows(*ROOT, "nvme1n1 259:2 9G disk ext4")).stack.missing
    assert not stack(LSBLK).stack.missing  # its LVM2_member carries a volume


@pytest.mark.parametrize(
    "volumes, kind, on",
    [
        (("  vg-a 253:0 8G lvm",), "dm-linear", ["nvme1n1"]),
        (
            (
                "  vg-p_tmeta 253:0 1G lvm",
                "    vg-p-tpool 253:2 8G lvm",
                "      vg-a 253:3 4G lvm",
                "  vg-p_tdata 253:1 8G lvm",
                "    vg-p-tpool 253:2 8G lvm",
                "      vg-a 253:3 4G lvm",
            ),
            "dm-thin",
            ["vg-p-tpool"],
        ),
        (
            (
                "  vg-a_corig 253:0 8G lvm",
                "    vg-a 253:3 8G lvm",
                "  vg-c_cdata 253:1 1G lvm",
                "    vg-a 253:3 8G lvm",
                "  vg-c_cmeta 253:2 1G lvm",
                "    vg-a 253:3 8G lvm",
            ),
            "dm-cache",
            ["vg-a_corig", "vg-c_cdata", "vg-c_cmeta"],
        ),
    ],
)
def test_a_volume_without_a_table_is_what_its_parts_names_tell(volumes, kind, on):
    found = stack(rows(*ROOT, *ON_LVM, *volumes))
    assert kinds(found)["vg-a"] == kind and links(found)["vg-a"] == on
    if kind == "dm-thin":
        assert kinds(found)["vg-p-tpool"] == "dm-thin-pool"
        assert links(found)["vg-p-tpool"] == ["vg-p_tdata", "vg-p_tmeta"]


@pytest.mark.parametrize(
    "below, why",
    [
        ("vg-v-vpool", "pool"),
        ("vg-a_rimage_0", "level"),
        ("vg-a_mlog", "log"),
        ("vg-a-real", "snapshot"),
        ("vg-b", "another"),
    ],
)
def test_a_volume_whose_target_no_name_tells_is_missing(below, why):
    volumes = (f"  {below} 253:0 8G lvm", "    vg-a 253:1 8G lvm")
    found = stack(rows(*ROOT, *ON_LVM, *volumes), skip=["unknown"])
    assert why in found.stack.missing["vg-a" if below != "vg-v-vpool" else below]


@pytest.mark.parametrize("kernel", PROFILES)
def test_linear_and_striped_are_equally_deep(kernel):
    """What lets a volume of untold target be dm-linear."""
    depths = []
    for kind in ("dm-linear", "dm-striped"):
        one = Stack()
        one.add("disk", "brd", size="10 GiB")
        one.add("below", kind, "disk")
        one.add("top", kind, "below")
        depths.append({t.task: t.peak_bytes for t in explain(one, kernel=kernel).tasks})
    assert depths[0] == depths[1]


def test_a_mirror_with_its_log_on_a_disk_is_missing_with_and_without_its_table():
    lvs = (
        '{"report": [{"lv": [{"lv_name": "m", "vg_name": "vg", "segtype": "mirror", '
        '"devices": "m_mimage_0(0),m_mimage_1(0)"}, '
        '{"lv_name": "[m_mimage_0]", "vg_name": "vg", "segtype": "linear", '
        '"devices": "/dev/nvme1n1(0)"}, '
        '{"lv_name": "[m_mimage_1]", "vg_name": "vg", "segtype": "linear", '
        '"devices": "/dev/nvme1n1(0)"}, {"lv_name": "[m_mlog]", "vg_name": "vg", '
        '"segtype": "linear", "devices": "/dev/nvme1n1(0)"}]}]}'
    )
    found = stack(rows(*ROOT, *ON_LVM), lvs, skip=["unknown"])
    assert "log" in found.stack.missing["vg-m"]


def test_a_damaged_file_of_a_folder_is_missing_and_a_command_that_did_not_run_is_not(tmp_path):
    (tmp_path / "lsblk").write_text(rows(*ROOT))
    (tmp_path / "lvs.json").write_text("sh: lvs: command not found\n")
    host = Host()
    read_tree(FolderTree(tmp_path), host)
    assert not build(host).stack.missing
    (tmp_path / "lvs.json").write_text('{"report": [{"lv": [')
    host = Host()
    read_tree(FolderTree(tmp_path), host)
    assert "cannot be read" in build(host).stack.missing["lvs.json"]


def test_mounts_that_no_source_tells_are_missing():
    disks = '{"blockdevices": [{"name": "nvme0n1", "type": "disk", "size": 1073741824}]}'
    assert list(stack(disks).stack.missing) == ["file systems"]
    assert not stack(disks, "/dev/nvme0n1 / ext4 rw 0 0\n").stack.missing


@pytest.mark.parametrize("fstype", ["zfs", "overlay", "cifs"])
def test_mounts_that_the_kernel_serves_and_the_model_has_not_are_missing(fstype):
    mounts = f"/dev/nvme0n1p1 / ext4 rw 0 0\n{fstype} /mnt {fstype} rw 0 0\n"
    found = build(read(rows(*ROOT), mounts))
    assert fstype in found.stack.missing["/mnt"]
    assert not build(read(rows(*ROOT), mounts.replace(fstype, "tmpfs"))).stack.missing
