"""Anchors, edges and cuts: what is written, read once."""

import copy
import pickle

import pytest

from blockstack.base.calls import Anchor, Cut, Edge, Path, cut_rows, split_place


@pytest.mark.parametrize(
    ("text", "names", "indirect", "optional"),
    [
        ("f", ("f",), False, False),
        (">f", ("f",), True, False),
        ("f?", ("f",), False, True),
        (">f|g?", ("f", "g"), True, True),
        ("f@drivers/md/dm.c|f@dm_mod", ("f@drivers/md/dm.c", "f@dm_mod"), False, False),
    ],
)
def test_anchors(text, names, indirect, optional):
    assert Anchor.read(text) == Anchor(names, indirect, optional)


def test_edges_say_which_end_a_table_may_lack():
    assert Edge.read(("f", "g")) == Edge("f", "g")
    assert Edge.read(("f", "g")).required
    assert Edge.read(("f?", "g")).ends == (("f", True), ("g", False))
    assert not Edge.read(("f", "g?")).required
    assert str(Edge.read(("f?", "g?"))) == "f -> g"


def test_cuts():
    assert Cut.read(("f", "g*", "why")) == Cut("f", "g*", "why", "topology")
    assert Cut.read(("below f", "g", "why"), "rare") == Cut("f", "g", "why", "rare", below=True)
    assert Cut.read(("below f->h", "g", "why")) == Cut("f", "g", "why", below=True, site="h")
    assert cut_rows("why", "g", "f->g", "below f->h->g") == (
        ("*", "g", "why"),
        ("f", "g", "why"),
        ("below f->h", "g", "why"),
    )


def test_places():
    assert split_place("f@fs/x.c") == ("f", "fs/x.c")
    assert split_place("f") == ("f", "")


PATH = Path(
    ("@kthread", "kthread?", ">work|job", "submit_bio"),
    (("f", "g?"),),
    ("fs/x.c",),
    (("f", "h", "why"),),
)


def test_a_path_names_its_functions():
    assert PATH.root == "@kthread"
    assert list(PATH.names()) == ["@kthread", "kthread", "work", "job", "submit_bio", "f", "g"]


def test_other_anchors_keep_the_indirect_calls_between_the_first_ones():
    other = PATH.replace_via(("submit_bio",))
    assert other.via == ("submit_bio",)
    assert other.edges == (("f", "g?"), ("kthread?", "work?"), ("kthread?", "job?"))
    assert (other.files, other.cuts) == (PATH.files, PATH.cuts)


def test_the_part_from_the_first_indirect_call_on():
    assert PATH.from_first_indirect().via == (">work|job", "submit_bio")
    plain = Path(("f", "g"))
    assert plain.from_first_indirect() == plain


def test_paths_are_keys_and_travel_without_what_they_remember():
    twin = Path(PATH.via, PATH.edges, PATH.files, PATH.cuts)
    assert PATH is not twin and {PATH: 1}[twin] == 1
    for other in (copy.deepcopy(PATH), pickle.loads(pickle.dumps(PATH))):
        assert other == PATH and "_hash" not in vars(other)
