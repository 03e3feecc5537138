"""The capture script: POSIX, no secrets, and its archive is what `import` reads."""

import shutil
import subprocess
import tarfile

import pytest
from host_sources import CRYPT, KEY, PCI, links, write_sysfs

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
        return {m.name: tar.extractfile(m).read().decode() for m in tar if m.isfile()}


def fake_tools(tmp_path, **tools):
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in tools.items():
        (folder / f"{name}.txt").write_text(text)
        (folder / name).write_text(
            f'#!/bin/sh\ntest "$1" = info && exit\ncat "{folder}/{name}.txt"\n'
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
