"""lsblk as people paste it: indented, blanks lost, columns in any order."""

import pytest
from host_sources import kinds, links, stack

from blockstack.base.errors import BlockstackError
from blockstack.hosts.formats import recognise

PLAIN = """NAME    MAJ:MIN RM  SIZE RO TYPE FSTYPE MOUNTPOINT
vda     252:0    0   20G  0 disk
├─vda1  252:1    0    1G  0 part ext4   /boot
└─vda2  252:2    0   19G  0 part ext4   /
"""
LOST = """NAME   MAJ:MIN RM  SIZE RO TYPE MOUNTPOINT
vda    254:0    0  20G  0 disk
├─vda1 254:1    0   1G  0 part /boot
└─vda2 254:2    0  19G  0 part /
"""
ORDER = """ SIZE TYPE FSTYPE NAME   MOUNTPOINT
  20G disk        vda
   1G part ext4   ├─vda1 /boot
  19G part ext4   └─vda2 /
"""
WANTED = {"vda1": ["vda"], "vda2": ["vda"], "/": ["vda2"], "/boot": ["vda1"]}


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "".join(f"    {line}\n" for line in PLAIN.splitlines()),
        "\n".join(f"\t{line}" for line in PLAIN.splitlines()),
        "$ lsblk -f\n" + PLAIN,
        ORDER,
    ],
    ids=("plain", "indented", "tabs", "prompt", "columns"),
)
def test_every_form_is_the_same_host(text):
    found = stack(text)
    assert recognise(text).name == "lsblk-tree"
    assert {name: on for name, on in links(found).items() if name != "vda"} == WANTED
    assert kinds(found)["/"] == "ext4" and not found.stack.missing


def test_a_row_that_lost_its_blanks_is_read_in_order():
    found = stack(LOST, skip=["unknown"])
    assert links(found)["vda2"] == ["vda"] and set(found.stack.missing) == {"/", "/boot"}
    without_type = LOST.replace("TYPE MOUNTPOINT", "TYPE FSTYPE MOUNTPOINT")
    assert set(stack(without_type, skip=["unknown"]).stack.missing) == {"/", "/boot"}


def test_a_type_that_is_no_word_of_lsblks_is_an_error():
    with pytest.raises(BlockstackError, match="TYPE is no word"):
        stack(LOST.replace("0 part /\n", "0 /\n"))
    with pytest.raises(BlockstackError, match="without -M"):
        stack(PLAIN.replace("├─vda1", "┌┈▶vda1"))
