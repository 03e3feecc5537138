"""Kernels of Debian's archive, unpacked and extracted here: `pytest -m kernel` (minutes, network).

The packages are those that apt of this machine can reach; without any the tests are skipped.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from places import ROOT

from blockstack.base.errors import BlockstackError
from blockstack.engine.depth.explain import explain
from blockstack.kernel import load_kernel
from blockstack.kernel.extract.build import extract, write_table
from blockstack.kernel.extract.compare import compare
from blockstack.scenario.config import load_config

pytestmark = [pytest.mark.kernel, pytest.mark.slow]  # neither loop runs it

CONFIGS = sorted((ROOT / "configs").glob("*.toml"))
#: package names and which of those that apt knows: the oldest 6.1 (the shipped table is of a new
#: one), a kernel without most drivers, the newest 6.12
PACKAGES = {
    "6.1": (r"linux-image-6\.1\.0-\d+-amd64\Z", 0),
    "6.1 cloud": (r"linux-image-6\.1\.0-\d+-cloud-amd64\Z", -1),
    "6.12": (r"linux-image-6\.12\.\d+\+deb\d+-amd64\Z", -1),
}


def apt(*arguments: str, folder: Path) -> str:
    """What a command of apt prints; the test is skipped when it fails."""
    if shutil.which(arguments[0]) is None:
        pytest.skip(f"no {arguments[0]} here")
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{' '.join(arguments)}: {done.stderr.strip()[-200:]}")
    return done.stdout


def numbers(name: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", name)]


@pytest.fixture(scope="module", params=PACKAGES)
def kernel(request, tmp_path_factory):
    """A package, unpacked, extracted, loaded by path."""
    pytest.importorskip("iced_x86", reason="the extra 'frames' is not installed")
    pytest.importorskip("vmlinux_to_elf", reason="the extra 'frames' is not installed")
    folder = tmp_path_factory.mktemp("package")
    known = apt("apt-cache", "pkgnames", "linux-image-", folder=folder).split()
    pattern, which = PACKAGES[request.param]
    names = sorted(filter(re.compile(pattern).match, known), key=numbers)
    if not names:
        pytest.skip(f"apt knows no package {pattern}")
    apt("apt-get", "download", names[which], folder=folder)
    apt("dpkg-deb", "-x", next(folder.glob("*.deb")).name, "unpacked", folder=folder)
    table = folder / "table.json.gz"
    write_table(extract([folder / "unpacked"]), table)
    for path in folder.iterdir():
        if path != table:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    found = load_kernel(table)
    assert found.generation.name == request.param.split()[0]
    assert found.generation.doubt == ""
    return found


def test_orc_agrees(kernel):
    orc = kernel.table.meta["orc"]
    assert orc["functions"] > 50_000
    assert orc["percent"] > 99.9


@pytest.mark.parametrize("modern", [False, True], ids=["as it is", "ext4 for ext3"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda p: p.stem)
def test_every_config_runs_or_says_why_not(kernel, config, modern, tmp_path):
    """No crash; what is unknown is named; a kind that the kernel lacks is an error."""
    text = config.read_text()
    (tmp_path / config.name).write_text(text.replace('"ext3"', '"ext4"') if modern else text)
    case = load_config(tmp_path / config.name)
    try:
        found = explain(case.stack, kernel=kernel, workload=case.workload)
    except BlockstackError as error:
        assert re.search(r"has no \S+|does not take|issues no", str(error))
        return
    for task in found.tasks:
        assert task.exact is (not task.missing)
        assert task.exact or task.fits is not True
    # an entry point alone is a kilobyte: less is a path that was lost on the way
    assert found.worst.peak_bytes > 1500


def test_most_configs_are_exact(kernel, tmp_path):
    """At least, with what is missing, is for few; a cloud kernel has no SCSI hosts, no e1000."""
    exact = unknown = 0
    for config in CONFIGS:
        (tmp_path / config.name).write_text(config.read_text().replace('"ext3"', '"ext4"'))
        case = load_config(tmp_path / config.name)
        try:
            found = explain(case.stack, kernel=kernel, workload=case.workload)
        except BlockstackError:
            continue
        missing = {name for task in found.tasks for name in task.missing}
        exact += not missing
        unknown += bool(missing)
    cloud = "cloud" in str(kernel.table.meta["kernel"])
    assert exact > (5 if cloud else 15)
    assert unknown <= (2 * exact if cloud else exact / 4)


def test_same_version_gives_nearby_depths(kernel):
    """A build with other options: the worst depth within a fifth of the shipped one's."""
    shipped = load_kernel(f"linux-{kernel.generation.name}-x86_64")
    for name in ("nvme-lvm-luks", "raid6-nvme"):
        case = load_config(next(c for c in CONFIGS if c.stem == name))
        ours, theirs = (
            explain(case.stack, kernel=k, workload=case.workload).worst.peak_bytes
            for k in (kernel, shipped)
        )
        assert ours == pytest.approx(theirs, rel=0.2), name


def test_compare_with_the_shipped_kernel(kernel):
    found = compare(load_kernel("linux-6.1-x86_64").table, kernel.table).to_dict()
    assert found["in_both"] > 5_000
    assert found["equal"] > 0.5 * found["in_both"]
