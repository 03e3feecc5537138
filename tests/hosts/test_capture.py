"""The capture script: POSIX, no secrets, and its archive is what `import` reads."""

import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from host_sources import CRYPT, KEY, PCI, links, write_sysfs
from hypothesis import given, settings
from hypothesis import strategies as st

from blockstack.engine.depth.explain import explain
from blockstack.hosts.build import build
from blockstack.hosts.capture import script
from blockstack.hosts.readers import queue
from blockstack.hosts.sniff import read_sources

SHELLS = [s for s in ("dash", "sh", "bash", "busybox") if shutil.which(s)]
pytestmark = pytest.mark.skipif(not SHELLS, reason="no POSIX shell here")
UUID = "11111111-2222-3333-4444-555555555555"


def run(tmp_path, shell="sh", text=None, **env):
    file = tmp_path / "capture.sh"
    file.write_text(script() if text is None else text)
    words = [shell, "sh"] if shell == "busybox" else [shell]
    path = env.pop("PATH", "/usr/bin:/bin")
    done = subprocess.run(
        [*words, str(file), str(tmp_path / "out.tar.gz")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path, **env},
        timeout=60,
    )
    return done, tmp_path / "out.tar.gz"


def fake_root(tmp_path):
    root = tmp_path / "root"
    write_sysfs(
        root / "sys",
        {
            f"{PCI}/sda": {"dev": "8:0", "size": "209715200", "queue/max_segments": "168"},
            f"{PCI}/sda/sda1": {"dev": "8:1", "size": "2097152", "start": "4096", "partition": "1"},
            "virtual/block/dm-0": {
                "dev": "253:0",
                "size": "2000896",
                "dm/name": "a--b-c d",
                "dm/uuid": f"CRYPT-LUKS2-{UUID.replace('-', '')}-x",
                "slaves/sda1": "->../../../../x/sda1",
            },
        },
    )
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(
        "67 0 253:0 / / rw - xfs /dev/mapper/a--b-c\\040d rw\n"
    )
    (root / "proc/swaps").write_text("Filename Type Size Used Priority\n")
    (root / "proc/version").write_text("Linux version 6.1.0-9-amd64 (gcc) x86_64\n")
    return root


@pytest.mark.parametrize("shell", SHELLS)
def test_a_captured_root_is_the_host(tmp_path, shell):
    done, out = run(tmp_path, shell, ROOT=str(fake_root(tmp_path)))
    assert done.returncode == 0, done.stderr
    host = read_sources([out])
    assert host.release == "6.1.0-9-amd64"
    found = build(host)
    assert links(found) == {"sda": [], "sda1": ["sda"], "a--b-c_d": ["sda1"], "/": ["a--b-c_d"]}
    assert found.stack.devices["a--b-c_d"].kind == "dm-crypt"
    assert queue.told(host.find("sda")) == {"max_segments": 168}


def texts_of(archive):
    with tarfile.open(archive) as tar:
        return {
            m.name: tar.extractfile(m).read().decode(errors="replace") for m in tar if m.isfile()
        }


def fake_tools(tmp_path, **tools):
    """Tools that print these texts; ``dmsetup_info`` is what `dmsetup info` does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "info.txt").write_text(tools.pop("dmsetup_info", ""))
    for name, text in tools.items():
        (folder / f"{name}.txt").write_text(text)
        (folder / name).write_text(
            f'#!/bin/sh\ntest "$1" = info && exec cat "{folder}/info.txt"\n'
            f'cat "{folder}/{name}.txt"\n'
        )
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_no_key_leaves_the_host(tmp_path):
    session = (
        f"Target: iqn.2003-01.org.x:y (non-flash)\n  Iface Netdev: eth0\n  CHAP:\n"
        f"  username: u\n  password: {KEY}\n  Attached scsi disk sdb  State: running\n"
    )
    path = fake_tools(tmp_path, dmsetup=CRYPT, iscsiadm=session)
    done, out = run(tmp_path, PATH=path)
    assert done.returncode == 0, done.stderr
    texts = texts_of(out)
    assert "no_read_workqueue" in texts["blockstack-capture/dmsetup_table"]
    assert "Attached scsi disk sdb" in texts["blockstack-capture/iscsiadm_-m_session_-P_3"]
    assert KEY not in "".join(texts.values())


def test_masks_on_request(tmp_path):
    lsblk = (
        f'{{"blockdevices": [{{"name":"sda","size":1048576,"type":"disk","uuid":"{UUID}",'
        '"serial":"S3KR1T", "wwn":"0x5000c500a1b2c3d4"}]}'
    )
    path = fake_tools(
        tmp_path,
        lsblk=lsblk,
        multipath="mpatha (36f01faf000da360b0000033c528fea6d) dm-2 DELL,MD36xxi\n",
    )
    plain = "".join(texts_of(run(tmp_path, PATH=path)[1]).values())
    assert UUID in plain and "S3KR1T" in plain
    masked = "".join(texts_of(run(tmp_path, text=script(mask=True), PATH=path)[1]).values())
    for secret in (UUID, "S3KR1T", "5000c500a1b2c3d4", "36f01faf000da360b0000033c528fea6d"):
        assert secret not in masked
    assert '"name":"sda"' in masked


def test_nothing_to_capture_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    done, out = run(tmp_path, ROOT=str(tmp_path / "empty"))
    assert done.returncode == 1 and "neither" in done.stderr and not out.exists()


def test_a_wwid_that_is_a_devices_name_gets_the_same_name_everywhere(tmp_path):
    wwids = ("3600508b400105e210000900000490000", "3600508b400105e210000900000490001")
    maps = "".join(
        f"{w} dm-{i} HP,HSV210\nsize=1G features='0' hwhandler='0' wp=rw\n"
        f"`- 5:0:0:{i} sd{'ab'[i]} 8:{16 * i} active ready running\n"
        for i, w in enumerate(wwids)
    )
    table = "".join(
        f"{w}: 0 8 multipath 0 0 1 1 service-time 0 1 2 8:{16 * i} 1 1\n"
        for i, w in enumerate(wwids)
    )
    path = fake_tools(tmp_path, multipath=maps, dmsetup=table)
    done, out = run(tmp_path, text=script(mask=True), PATH=path)
    assert done.returncode == 0, done.stderr
    texts = texts_of(out)
    for wwid in wwids:
        assert wwid not in "".join(texts.values())
    name = texts["blockstack-capture/multipath_-ll"].split()[0]
    assert (
        name.startswith("wwid")
        and f"{name}: 0 8 multipath" in texts["blockstack-capture/dmsetup_table"]
    )


# --- masking -------------------------------------------------------------------------------------

#: an identifier each; what a person chose is a word, what a machine has is hexadecimal or digits
WORDS = st.from_regex(r"[a-z]{4}[0-9]{2}[a-z]{3}", fullmatch=True)
HEX = st.text("0123456789abcdef", min_size=32, max_size=32).filter(lambda t: t[0] not in "0123")


@dataclass(frozen=True)
class Named:
    """The identifiers of one made-up host: two of most, that must not become one."""

    words: tuple[str, ...]
    ids: tuple[str, ...]

    def uuid(self, i):
        h = self.ids[i]
        return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))

    def sources(self):
        """What its tools say."""
        vg, label, user, peer, part, home, *_ = self.words
        serial, wwn, lv = self.ids[2][:14].upper(), self.ids[3][:16], (self.ids[5] * 2).upper()
        dm = vg.replace("-", "--")
        disk = {
            "name": "sda", "kname": "sda", "maj:min": "8:0", "size": 1 << 40, "type": "disk",
            "tran": "sata", "serial": serial, "wwn": f"0x{wwn}", "id-link": f"ata-Disk_{serial}",
        }  # fmt: skip
        crypts = [
            {
                "name": f"luks-{self.uuid(i)}", "kname": f"dm-{i}", "maj:min": f"253:{i}",
                "size": 1 << 39, "type": "crypt", "fstype": "ext4", "uuid": self.uuid(6 + i),
                "label": (label, part)[i], "mountpoint": ("/", f"/media/{user}/{part}")[i],
            }
            for i in (0, 1)
        ]  # fmt: skip
        volume = {
            "name": f"{dm}-root", "kname": "dm-2", "maj:min": "253:2", "size": 1 << 30,
            "type": "lvm", "fstype": "xfs", "mountpoint": f"/home/{home}",
        }  # fmt: skip
        table = "".join(
            f"luks-{self.uuid(i)}: 0 {1 << 30} crypt aes-xts-plain64 {KEY} 0 8:0 {32768 + i} 0\n"
            for i in (0, 1)
        )
        info = "Name Maj Min Stat Open Targ Event UUID\n" + "".join(
            f"luks-{self.uuid(i)} 253 {i} L--w 1 1 0 CRYPT-LUKS2-{self.ids[i]}-luks\n"
            for i in (0, 1)
        )
        return {
            "lsblk": json.dumps({"blockdevices": [disk | {"children": [*crypts, volume]}]}),
            "dmsetup": table + f"{dm}-root: 0 2097152 linear 8:0 2048\n",
            "dmsetup_info": info + f"{dm}-root 253 2 L--w 1 1 0 LVM-{lv}\n",
            "lvs": json.dumps(
                {"report": [{"lv": [{"lv_name": "root", "vg_name": vg, "lv_uuid": self.ids[8],
                                     "segtype": "linear", "devices": "/dev/sda(0)"}]}]}
            ),
            "losetup": f"/dev/loop0: [2049]:123 (/home/{home}/disk.img)\n",
            "multipath": f"mpatha (3{self.ids[4]}) dm-9 HP,HSV210\neui.{wwn} dm-8 NVME,Dell\n",
            "iscsiadm": f"Target: iqn.2001-04.com.{peer}:{label} (non-flash)\n",
            "drbdsetup": f'resource "r0" {{ net {{ shared-secret "{KEY}"; }} '
            f'connection {{ _name "{peer}"; path {{ _remote_host ipv4 192.168.7.31:7789; }}'
            " } }\n",
            "nvme": json.dumps(
                {"Devices": [{"HostNQN": f"nqn.2014-08.org.nvmexpress:uuid:{self.uuid(9)}",
                              "HostID": self.uuid(9), "Subsystems": [{"Controllers": [
                                  {"SerialNumber": serial, "Address": "traddr=10.9.8.7,trsvcid=1",
                                   "Namespaces": [{"NGUID": self.ids[4].upper(),
                                                   "EUI64": wwn}]}]}]}]}
            ),
        }  # fmt: skip

    def secrets(self):
        yield from self.words[:6]
        yield from self.ids[:10]
        yield from (self.uuid(i) for i in range(10))
        yield from (self.ids[2][:14], self.ids[3][:16], "192.168.7.31", "10.9.8.7", KEY)


HOSTS = st.builds(
    Named,
    st.lists(WORDS, min_size=6, max_size=6, unique=True).map(
        lambda w: (f"{w[0]}-vg", *w[1:])  # a group's hyphen is doubled in names of dm
    ),
    st.lists(HEX, min_size=10, max_size=10, unique=True).map(tuple),
)


@settings(max_examples=12, deadline=None)
@given(host=HOSTS)
def test_no_identifier_of_any_host_is_in_a_masked_archive(host):
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = fake_tools(folder, **host.sources())
        done, out = run(folder, text=script(mask=True), PATH=path)
        assert done.returncode == 0, done.stderr
        texts = {n: t for n, t in texts_of(out).items() if not n.endswith("blockstack-sysfs")}
    whole = "\n".join(texts.values()).lower()
    assert [secret for secret in host.secrets() if secret.lower() in whole] == []
    lsblk = json.loads(texts["blockstack-capture/lsblk_--json.json"])["blockdevices"][0]
    assert lsblk["name"] == "sda" and lsblk["serial"] != lsblk["wwn"]
    first, second, volume = lsblk["children"]
    assert first["name"] != second["name"] and first["name"].startswith("luks-")
    assert first["mountpoint"] == "/" and second["mountpoint"].startswith("/media/user")
    assert second["mountpoint"].endswith("/" + second["label"])
    for one in lsblk["children"]:  # the same name wherever the device is spoken of
        assert f"{one['name']}: 0 " in texts["blockstack-capture/dmsetup_table"]
        assert f"{one['name']} 253 " in texts["blockstack-capture/dmsetup_info_-c"]
    group = json.loads(texts["blockstack-capture/lvs_json.json"])["report"][0]["lv"][0]["vg_name"]
    assert volume["name"] == f"{group}-root"
    assert volume["mountpoint"].rpartition("/")[0] == "/home"


def test_a_masked_host_is_the_host(tmp_path):
    """Two LUKS devices stay two, suffixes that mean something stay, the verdict is the same."""
    host = Named(
        ("acme-vg", "lab1x", "jdoe77", "peer9z", "part8q", "home5t"),
        tuple(f"{n:x}" * 32 for n in range(4, 14)),
    )
    sources = host.sources()
    found = []
    for mask in (False, True):
        folder = tmp_path / str(mask)
        folder.mkdir()
        path = fake_tools(folder, **{k: sources[k] for k in ("lsblk", "dmsetup", "dmsetup_info")})
        archive = run(folder, text=script(mask=mask), PATH=path)[1]
        kept = folder / "kept"
        kept.mkdir()
        for name, text in texts_of(archive).items():
            if not name.endswith(("blockstack-sysfs", "mountinfo", "swaps", "mdstat")):
                (kept / name.rpartition("/")[2]).write_text(text)
        found.append(build(read_sources([kept])))
    plain, masked = found
    assert [d.kind for d in plain.stack.devices.values()] == [
        d.kind for d in masked.stack.devices.values()
    ]
    assert len(masked.stack.devices) == len(plain.stack.devices) > 4
    verdicts = [
        [(t.peak_bytes, t.fits, t.exact) for t in explain(f.stack, kernel="linux-6.1-x86_64").tasks]
        for f in found
    ]
    assert verdicts[0] == verdicts[1]


HOSTILE = {
    "crypt": f"name with crypt: 0 100 crypt aes {KEY} 0 259:0 0",
    "inlinecrypt": f"a: 0 100 inlinecrypt aes-xts-plain64 {KEY} 0 259:0 0",
    "default-key": f"a: 0 100 default-key aes-xts-plain64 {KEY} 0 259:0 0",
    "integrity": f"a: 0 9 integrity 259:0 0 32 J 2 journal_crypt:ctr(aes):{KEY} "
    f"internal_hash:hmac(sha256):{KEY}",
    "verity": f"a: 0 9 verity 1 8:0 8:1 4096 4096 256 1 sha256 {KEY} {KEY} 1 "
    f"root_hash_sig_key_desc {KEY}",
    "another": f"a: 0 9 whatever {KEY} 1",
}


@pytest.mark.parametrize("target", HOSTILE)
def test_no_key_of_any_target_leaves_the_host(tmp_path, target):
    """By its place in the target's line; of a target that is not known, what looks like a key."""
    done, out = run(tmp_path, PATH=fake_tools(tmp_path, dmsetup=HOSTILE[target] + "\n"))
    assert done.returncode == 0
    table = texts_of(out)["blockstack-capture/dmsetup_table"]
    assert KEY not in table and len(table.split()) == len(HOSTILE[target].split())


def test_every_command_is_named_and_nothing_is_written(tmp_path):
    """The archive apart: the temporary folder is gone, and no tool is run that is not said."""
    path = fake_tools(tmp_path, lsblk='{"blockdevices": []}', dmsetup="a: 0 8 zero\n")
    for tool in ("lsblk", "dmsetup"):
        file = tmp_path / "bin" / tool
        file.write_text(
            file.read_text().replace(
                "#!/bin/sh\n", f'#!/bin/sh\necho {tool} "$@" >>"{tmp_path}/ran"\n'
            )
        )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done, _ = run(tmp_path, PATH=path, TMPDIR=str(scratch))
    said = [line.removeprefix("ran: ") for line in done.stderr.splitlines() if "ran: " in line]
    assert set((tmp_path / "ran").read_text().splitlines()) <= set(said)
    assert list(scratch.iterdir()) == []
    verbs = {line.split()[0]: line for line in said}
    assert not any(w in line.split() for line in verbs.values() for w in ("create", "remove", "rm"))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_kernel_comes_along_when_it_is_asked_for(tmp_path, shell):
    root = fake_root(tmp_path)
    release = "6.1.0-9-amd64"
    files = {
        "sys/kernel/notes": b"\x04\0\0\0notes\xff",
        "proc/modules": b"dm_mod 1 0 - Live 0x0\nmissing 1 0 - Live 0x0\n",
        f"boot/vmlinuz-{release}": b"\x1f\x8bimage\0\xff",
        f"lib/modules/{release}/kernel/drivers/md/dm-mod.ko.xz": b"\xfd7zmodule",
        f"lib/modules/{release}/kernel/drivers/md/raid1.ko.xz": b"\xfd7zother",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    plain = members(run(tmp_path, shell, ROOT=str(root))[1])
    assert plain["kernel/sys/kernel/notes"] == files["sys/kernel/notes"]
    assert not any("vmlinuz" in name or name.endswith("modules") for name in plain)
    done, archive = run(tmp_path, shell, script(with_kernel=True), ROOT=str(root))
    assert done.returncode == 0, done.stderr
    whole = members(archive)
    brought = {name for name in whole if name.startswith("kernel/")}
    assert brought == {f"kernel/{name}" for name in files if "raid1" not in name} | {
        "kernel/proc/version"
    }
    assert all(whole[f"kernel/{name}"] == c for name, c in files.items() if "raid1" not in name)
    links_of = links(build(read_sources([archive])))
    assert links_of == links(build(read_sources([run(tmp_path, shell, ROOT=str(root))[1]])))


def members(archive):
    """Files of a capture by their names in it."""
    with tarfile.open(archive) as tar:
        return {
            m.name.removeprefix("blockstack-capture/"): tar.extractfile(m).read()
            for m in tar
            if m.isfile()
        }
