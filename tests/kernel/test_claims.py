"""Pointer calls that kinds claim, held against what the types of a kernel tell."""

import json
import re
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from blockstack.cli import app
from blockstack.kernel import PROFILES, load_kernel
from blockstack.kernel.check import resolution_of, types_of
from blockstack.kernel.claims import STEPS, Checked, Judged, Pair, check
from blockstack.kernel.resolve import Resolution
from blockstack.kernel.typed import Held, Site, Types

TYPED = sorted(name for name in PROFILES if types_of(name) is not None)


#: claims that one build contradicts and that make a path no shallower: another version's way
KNOWN = {
    # fs/super.c: ext4 and XFS set up a superblock through get_tree_bdev, FAT since 6.11, too
    Pair("mount_bdev", "ext4_fill_super"),
    Pair("mount_bdev", "xfs_fs_fill_super"),
    Pair("mount_bdev", "vfat_fill_super"),
    # fs/super.c 6.1: only the emergency paths go by __iterate_supers
    Pair("__iterate_supers", "sync_fs_one_sb"),
    Pair("__iterate_supers", "sync_inodes_one_sb"),
}


def checked(name: str) -> Checked:
    kernel = load_kernel(name)
    resolution = resolution_of(kernel, name)
    assert resolution is not None
    return check(resolution, kernel.generation, name)


def test_modern_x86_64_tables_ship_with_types():
    assert {"linux-6.1-x86_64", "linux-6.12-x86_64"} <= set(TYPED)


@pytest.mark.parametrize("name", TYPED)
def test_no_shipped_kernel_contradicts_a_claim_that_matters(name: str):
    found = checked(name)
    assert {c.pair for c in found.of("missing")} - KNOWN == set()
    assert len(found.of("found")) > 300
    assert found.recall > 0.7


@pytest.mark.parametrize("name", TYPED)
def test_types_are_of_the_build_whose_frames_ship(name: str):
    types = types_of(name)
    assert types is not None
    release = re.search(r"\d+\.\d+\.\d+\S*-amd64", str(types.meta["kernel"]))
    assert release and release[0] in str(load_kernel(name).table.meta["kernel"])


@pytest.mark.parametrize("name", TYPED[-1:])
def test_a_function_taken_out_of_a_member_turns_up_as_missing(name: str):
    kernel = load_kernel(name)
    whole = resolution_of(kernel, name)
    assert whole is not None
    sure = [c for c in check(whole, kernel.generation, name).of("found") if _is_sure(whole, c)]
    assert len(sure) > 100
    for claim in sure[:: len(sure) // 12]:
        gone = whole.keys(claim.pair.callee)
        members = {
            member: tuple(h for h in held if h.function not in gone)
            for member, held in whole.types.members.items()
        }
        mutated = Resolution(whole.table, replace(whole.types, members=members))
        lost = {c.pair for c in check(mutated, kernel.generation, name).of("missing")}
        assert claim.pair in lost


def _is_sure(resolution: Resolution, claim: Judged) -> bool:
    """Whether every pointer call of the caller is known, and nothing else calls the callee."""
    callers, callees = resolution.keys(claim.pair.caller), resolution.keys(claim.pair.callee)
    types = resolution.types
    if any(types.open(f) or types.leaks(f) for f in callers) or callees & types.loose:
        return False
    near = resolution.below(callers) | {g for f in callers for g in resolution.targets(f)}
    return not callees & resolution.below(frozenset(near) | callers) and not any(
        resolution.calls(f, callees) for f in resolution.below(callers, STEPS)
    )


def test_verdicts_of_a_small_table(tmp_path):
    kernel = load_kernel("linux-6.12-x86_64")
    held = (Held("dm_submit_bio", "dm_mod"),)
    sites = {"a": (Site(8, "typed", ("ops.submit",)),), "b": (Site(8, "open", ()),)}
    types = Types(sites, {"ops.submit": held}, {}, {})
    resolution = Resolution(kernel.table, types)
    assert resolution.targets("a") == {"dm_submit_bio"}
    assert types.open("b") == 1 and types.open("a") == 0
    assert Pair("a", "b") == ("a", "b")


def test_the_command_says_what_it_found():
    result = CliRunner().invoke(app, ["kernel", "check", "linux-6.12-x86_64", "--json"])
    told = json.loads(result.stdout)
    assert result.exit_code == (told["counts"]["missing"] > 0)
    assert {c["verdict"] for c in told["claims"]} <= set(told["counts"])
    text = CliRunner().invoke(app, ["kernel", "check", "linux-6.12-x86_64"]).stdout
    assert "unresolved" in text and "found by types alone" in text


def test_a_kernel_without_types_cannot_be_checked():
    result = CliRunner().invoke(app, ["kernel", "check", "linux-2.6.18-i386-4k"])
    assert result.exit_code == 3, result.output
    assert "no types" in result.stdout
