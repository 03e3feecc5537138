"""Configs: read, refused with path and way out, and written back."""

from pathlib import Path

import pytest
from effort import calls_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import ROOT

from blockstack.base.errors import BlockstackError, ConfigError
from blockstack.generations import in_generation
from blockstack.kernel import PROFILES
from blockstack.kinds import KINDS
from blockstack.scenario.config import (
    Config,
    Overrides,
    config_from_dict,
    config_to_dict,
    dump_config,
    load_config,
    parse_config,
    save_config,
)
from blockstack.scenario.toml import write_toml
from blockstack.workload import Workload

HOST = """
kernel = "linux-2.6.18-i386-4k"
description = "XFS over LVM over RAID 5 over iSCSI"
submission = "fifo"
thread_size = "4 KiB"

[devices.fs]
kind = "xfs"
on = "root"

[devices.root]
kind = "dm-linear"
on = "md0"

[devices.md0]
kind = "md-raid5"
on = ["sda", "sdb", "sdc"]
chunk = "64 KiB"

[devices.eth0]
kind = "nic"

[devices.sda]
kind = "iscsi"
size = "100 GiB"
nic = "eth0"
[devices.sdb]
kind = "iscsi"
size = "100 GiB"
nic = "eth0"
[devices.sdc]
kind = "iscsi"
size = "100 GiB"
nic = "eth0"

[workload]
rw = "randwrite"
bs = "4 KiB-1 MiB"
"""


def host(tmp_path: Path, text: str | bytes = HOST) -> Path:
    """The text as host.toml."""
    path = tmp_path / "host.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_load(tmp_path: Path) -> None:
    config = load_config(host(tmp_path))
    assert isinstance(config, Config)
    assert config.kernel == "linux-2.6.18-i386-4k"
    assert config.overrides == Overrides("fifo", 4096)
    assert config.name == config.stack.name == "host"
    assert config.path.endswith("host.toml")
    assert config.workload == Workload(rw="randwrite", bs="4 KiB-1 MiB")
    assert list(config.stack.devices) == ["eth0", "sda", "sdb", "sdc", "md0", "root", "fs"]
    assert config.stack.roots() == ("fs",)


def test_defaults() -> None:
    config = parse_config('[devices.sda]\nkind = "scsi"\nsize = "1 GiB"')
    assert config.kernel is None
    assert config.overrides == Overrides()
    assert config.workload == Workload()
    assert config.description == ""


@pytest.mark.parametrize(
    "text",
    [
        HOST,
        '[devices.sda]\nkind = "scsi"\nsize = 1073741824\nname = "odd"'.replace(
            "name", "driver"
        ).replace("odd", "generic"),
        """
    [devices."a.b"]
    kind = "scsi"
    size = "1 GiB"
    [devices.'q"uote']
    kind = "dm-linear"
    table = [[0, 8, "a.b", 0], [8, "4 KiB", "a.b", 80]]
    [devices.p]
    kind = "dm-snapshot"
    on = ['q"uote', "a.b"]
    chunk = "4 KiB"
    copied = 0.5
    [workload]
    direct = true
    fua = 0.25
    """,
    ],
)
def test_round_trip(text: str, tmp_path: Path) -> None:
    config = parse_config(text)
    again = parse_config(dump_config(config))
    assert again == config
    assert dump_config(again) == dump_config(config)
    save_config(config, tmp_path / "out.toml")
    assert load_config(tmp_path / "out.toml") == config
    assert config_from_dict(config_to_dict(config)) == config


def test_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    plain = load_config(host(tmp_path))
    windows = b"\xef\xbb\xbf" + HOST.replace("\n", "\r\n").encode()
    assert load_config(host(tmp_path, windows)) == plain


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\xff\xfe\x00", "not UTF-8 at byte 0"),
        (b"[devices", "not TOML"),
        (b"", "no devices"),
        (b"a = " + b"[" * 5000, "not a config|not TOML"),
        (b"a = 1\0", "not TOML"),
        (b"a = " + b"9" * 6000, "not a config|not TOML|64 bits"),
        (b"a = 0x" + b"f" * 9000, "64 bits"),
    ],
)
def test_files_that_are_no_config(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(host(tmp_path, raw))
    assert str(caught.value).startswith(str(tmp_path / "host.toml") + ":")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.toml", tmp_path, "a\0b"):
        with pytest.raises(ConfigError, match=r"cannot be read|no such file|not a file name"):
            load_config(path)


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ('"sdb", ', '"sdx", ', "devices.md0.on[1]", "no such device"),
        ('on = "root"', 'on = "rot"', "devices.fs.on", "did you mean"),
        ('on = "root"', "on = 5", "devices.fs.on", "not a device name"),
        ('nic = "eth0"', 'nic = "eth9"', "devices.sda.nic", "no such device"),
        ('nic = "eth0"', "nic = 5", "devices.sda.nic", "not a device name"),
        ("chunk", "chunck", "devices.md0.chunck", "unknown key"),
        ('chunk = "64 KiB"', 'chunk = "63 KiB"', "devices.md0.chunk", "multiple"),
        ("md-raid5", "md-raid7", "devices.md0.kind", "no such device kind"),
        ('kind = "md-raid5"', "", "devices.md0.kind", "needs this key"),
        ('kind = "md-raid5"', "kind = 5", "devices.md0.kind", "no such device kind"),
        ('size = "100 GiB"', "", "devices.sda.size", "needs this key"),
        ('size = "100 GiB"', 'size = "100 GX"', "devices.sda.size", "unit"),
        ('size = "100 GiB"', "size = 0", "devices.sda.size", "must"),
        ("kernel =", "kernal =", "kernal", 'did you mean "kernel"'),
        ("kernel =", "kernel = 5 #", "kernel", "must be a text"),
        ("[workload]", "[work]", "work", "unknown key"),
        ("[workload]", "workload = 5\n[x]", "x", "unknown key"),
        ("rw =", "rwx =", "workload.rwx", "did you mean"),
        ('"randwrite"', '"randwrit"', "workload.rw", "did you mean"),
        ('"fifo"', '"fifoo"', "submission", "did you mean"),
        ('"fifo"', "5", "submission", "rules"),
        ('"4 KiB"\n', '"5 KiB"\n', "thread_size", "power of two"),
        ('"4 KiB"\n', "1979-05-27\n", "thread_size", "not a quantity"),
        ('"4 KiB"\n', '"4 KiB"\nassumed = "sda"\n', "assumed", "a list of texts"),
        ('kind = "nic"', 'kind = "nic"\nname = "x"', "devices.eth0.name", "unknown key"),
        ('kind = "nic"', 'kind = "nic"\nself = "x"', "devices.eth0.self", "unknown key"),
    ],
)
def test_errors_say_where(tmp_path: Path, old: str, new: str, path: str, words: str) -> None:
    assert old in HOST
    with pytest.raises(ConfigError, match=words) as caught:
        load_config(host(tmp_path, HOST.replace(old, new, 1)))
    assert caught.value.path == f"{tmp_path / 'host.toml'}: {path}"


def test_tables_in_the_wrong_place() -> None:
    for text, words in (
        ("devices = 5", "not a table"),
        ("[devices]\nsda = 5", "not a table"),
        ("[[devices]]\nkind = 'scsi'", "not a table"),
        ("workload = 1\n[devices.a]\nkind='scsi'\nsize='1 GiB'", "not a table"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse_config(text)


def test_cycles_name_their_devices() -> None:
    text = "".join(
        f'[devices.{a}]\nkind = "dm-linear"\non = "{b}"\n' for a, b in ("ab", "bc", "ca", "xa")
    )
    with pytest.raises(ConfigError, match="stands on itself: a -> b -> c -> a"):
        parse_config(text)
    with pytest.raises(ConfigError, match="a -> a"):
        parse_config('[devices.a]\nkind = "dm-linear"\ntable = [[0, 8, "a", 0]]')


def big_config(n: int) -> str:
    """Disks, arrays over them, and a deep chain of dm-linear."""
    lines = [
        f'[devices.sd{i}]\nkind = "scsi"\nsize = "1 GiB"\n'
        f'[devices.md{i}]\nkind = "md-raid0"\non = ["sd{i}"]\n'
        for i in range(n // 4)
    ]
    below = "md0"
    for i in range(n // 2):
        lines.append(f'[devices.v{i}]\nkind = "dm-linear"\non = "{below}"\n')
        below = f"v{i}"
    return "".join(reversed(lines))


@pytest.mark.slow
def test_ten_thousand_devices() -> None:
    def calls(n: int) -> int:
        text = big_config(n)

        def read() -> None:
            assert len(parse_config(text).stack.devices) == n

        return calls_of(read)

    small, large = calls(2500), calls(10_000)
    assert large < 5 * small  # linear is 4, square would be 16


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text("ab/4k \0é", max_size=6)
    | st.dates()
    | st.sampled_from(["sda", "md0", "x", "1 GiB", "64 KiB", "eth0", "n2", *KINDS]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["kind", "on", "size", "table"]), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = [
    "kind",
    "on",
    "size",
    "start",
    "chunk",
    "nic",
    "table",
    "offset",
    "offsets",
    "layout",
    "failed",
    "driver",
    "name",
    "self",
    "zzz",
]
device = (
    st.dictionaries(st.sampled_from(KEYS), junk, max_size=5)
    | st.fixed_dictionaries(
        {"kind": st.sampled_from(sorted(KINDS))},
        optional={
            "on": st.sampled_from(["sda", ["sda", "sdb"], ["sda", "sdb", "sda"], "md0", "x"]),
            "size": st.sampled_from(["1 GiB", 512, -5, "8 EiB"]),
            "nic": st.just("eth0"),
            "table": junk,
            "failed": junk,
            "chunk": st.sampled_from(["4 KiB", 0, "1 EiB"]),
            "layout": st.sampled_from(["n2", "f9", "o99"]),
            "start": junk,
            "zzz": junk,
        },
    )
    | junk
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {
            "devices": st.dictionaries(
                st.sampled_from(["sda", "sdb", "md0", "x", "eth0", "a b", ""]), device, max_size=6
            )
            | junk
        },
        optional={
            "kernel": junk,
            "submission": junk,
            "thread_size": junk,
            "workload": junk,
            "name": junk,
            "junk": junk,
        },
    )
)
def test_nothing_but_blockstack_errors(table: dict[str, object]) -> None:
    try:
        config = config_from_dict(table)
    except BlockstackError as error:
        assert str(error)
        return
    assert config_from_dict(config_to_dict(config)) == config


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.text("[]={}\"'.,#\n devices1x-", max_size=80))
def test_no_text_breaks_the_reader(text: str | bytes) -> None:
    with pytest.raises(BlockstackError, match="config"):
        parse_config(text)


@given(
    st.dictionaries(
        st.text('aB. "\\\n\0é', min_size=1, max_size=5),
        st.integers(-(2**63), 2**63 - 1)
        | st.booleans()
        | st.floats(allow_nan=False)
        | st.text('a"\\\n\r\t\0\x7fé', max_size=8)
        | st.lists(st.integers(0, 9), max_size=3),
        max_size=4,
    )
)
def test_the_writer_is_read_back(table: dict[str, object]) -> None:
    import tomllib

    assert tomllib.loads(write_toml(table)) == table
    assert tomllib.loads(write_toml({"a": {"b": table}, "c": 1})) == {"a": {"b": table}, "c": 1}


def test_the_writer_refuses_what_toml_cannot_say() -> None:
    with pytest.raises(ConfigError, match=r"a\.b: cannot be written"):
        write_toml({"a": {"b": None}})


CONFIGS = ROOT / "configs"
SCENARIOS = sorted(CONFIGS.glob("*.toml"))
KERNELS = set(PROFILES)
SHOWN = {  # every kind that has a scenario
    "partition",
    "dm-linear",
    "dm-striped",
    "dm-mirror",
    "dm-crypt",
    "dm-snapshot",
    "dm-snapshot-origin",
    "md-linear",
    "md-raid0",
    "md-raid1",
    "md-raid10",
    "md-raid4",
    "md-raid5",
    "md-raid6",
    "loop",
    "nbd",
    "nvme-tcp",
    "iscsi",
    "scsi",
    "nvme",
    "virtio-blk",
    "brd",
    "null_blk",
    "nic",
    "raw",
    "ext3",
    "ext4",
    "xfs",
    "btrfs",
    "f2fs",
    "vfat",
    "reiser4",
    "nfs",
    "nfsd",
    "swap",
    "bcache",
    "drbd",
    "dm-multipath",
    "dm-cache",
    "dm-writecache",
    "dm-raid0",
    "dm-raid1",
    "dm-raid4",
    "dm-raid5",
    "dm-raid6",
    "dm-raid10",
    "dm-thin",
    "dm-thin-pool",
    "dm-integrity",
    "dm-verity",
    "dm-flakey",
    "dm-delay",
    "dm-switch",
    "dm-zero",
    "zram",
}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_shipped_scenario(path: Path) -> None:
    """Complete and runnable: a line of description, a shipped kernel that has every kind."""
    config = load_config(path)
    assert config.name == path.stem
    assert config.description
    assert len(config.description) <= 100
    assert config.kernel in KERNELS
    generation = PROFILES[config.kernel].generation
    for device in config.stack.devices.values():
        kind = device.kind_entry
        assert any(
            in_generation(rows, generation) is not None for rows in (kind.calls, kind.entries)
        ), device.name
    assert config.stack.warnings() == ()
    roots = config.stack.roots()
    spec = config.workload.draw_spec([config.stack.devices[r].size_sectors for r in roots])
    assert spec.capacity_sectors.min() > 0
    again = parse_config(dump_config(config))
    assert again == config


def test_scenarios_show_every_kind_kernel_and_way_out() -> None:
    configs = [load_config(path) for path in SCENARIOS]
    assert {d.kind for c in configs for d in c.stack.devices.values()} >= SHOWN
    # 5.10 and 7.3 are for hosts that run them
    assert {c.kernel for c in configs} == KERNELS - {"linux-5.10-x86_64", "linux-7.3-x86_64"}
    nics = [d for c in configs for d in c.stack.devices.values() if d.kind == "nic"]
    assert {d.params["context"] for d in nics if d.params["driver"] == "ndiswrapper"} == {
        "caller",
        "private",
        "user",
    }
    layouts = {
        d.params["layout"][0]
        for c in configs
        for d in c.stack.devices.values()
        if d.kind == "md-raid10"
    }
    assert layouts == {"n", "f", "o"}
    assert any(
        len(d.segments) > 2
        for c in configs
        for d in c.stack.devices.values()
        if d.kind == "md-raid0"
    )


def test_the_main_scenario() -> None:
    config = load_config(CONFIGS / "dm-md-iscsi.toml")
    kinds = [d.kind for d in config.stack.devices.values()]
    assert config.kernel == "linux-2.6.18-i386-4k"
    assert kinds.count("dm-linear") == 8
    assert {"ext3", "md-raid5", "iscsi", "nic"} <= set(kinds)
    deep = load_config(CONFIGS / "dm-deep-4k.toml")
    assert [d.kind for d in deep.stack.devices.values()].count("dm-linear") == 16


# --- shipped scenarios ----------------------------------------------------------------------------


def test_shipped_scenarios_are_found_by_name_anywhere(tmp_path, monkeypatch):
    whole = load_config("configs/raid1.toml")
    monkeypatch.chdir(tmp_path)
    for name in ("raid1", "raid1.toml", "configs/raid1.toml"):
        assert load_config(name).stack == whole.stack
    (tmp_path / "raid1.toml").write_text('[devices.sda]\nkind = "scsi"\nsize = "1 GiB"\n')
    own = load_config("raid1.toml")  # a file of one's own comes first
    assert list(own.stack.devices) == ["sda"]
    assert load_config("iscsi-6.1").stack == load_config("configs/iscsi-6.1.toml").stack
    with pytest.raises(BlockstackError, match=r'did you mean "iscsi-6\.1"'):
        load_config("iscsi-6.2")
    with pytest.raises(BlockstackError, match='did you mean "raid1"'):
        load_config("raid2")
    with pytest.raises(BlockstackError, match="no such shipped scenario"):
        load_config("elsewhere/raid1.toml")
