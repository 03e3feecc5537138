"""What no source tells is a range: the verdict goes over all that it may be."""

import pytest

from blockstack.cli.fleet import TYPES, Fleet, HostRow, _over_types

PASTED = """\
NAME   MAJ:MIN RM SIZE RO TYPE MOUNTPOINT
sda      8:0    0  40G  0 disk
└─sda1   8:1    0  40G  0 part /
"""


@pytest.mark.slow
def test_a_plain_paste_fits_whatever_driver_and_file_system(tmp_path):
    (tmp_path / "lsblk.txt").write_text(PASTED)
    row = Fleet().check(str(tmp_path / "lsblk.txt"))
    assert row.fits is True
    told = " ".join(row.assumed)
    assert "host drivers it is (worst: " in told
    assert f"any of {', '.join(TYPES)} (worst: " in told


@pytest.mark.parametrize(
    ("verdicts", "fits"),
    [
        ((True, True), True),
        ((False, False), False),
        ((True, False), None),
        ((True, None), None),
        ((False, None), None),
    ],
)
def test_a_verdict_over_types_is_of_all_or_none(verdicts, fits):
    rows = {fs: HostRow("x", fits=one) for fs, one in zip(TYPES, verdicts, strict=False)}
    found = _over_types(rows)
    assert found.fits is fits
    if fits is None and True in verdicts:
        assert TYPES[1] in found.why
