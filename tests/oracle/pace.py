"""What the quick loop runs: one case of those that differ in little, all of them in a whole run."""

from collections.abc import Iterable
from typing import Any

import pytest


def one_quick(cases: Iterable[Any]) -> list[Any]:
    """Cases of `parametrize`, one argument each; all but the first are slow."""
    first, *rest = cases
    return [first, *(pytest.param(case, marks=pytest.mark.slow) for case in rest)]


def quick_where(cases: Iterable[Any], argument: object) -> list[Any]:
    """Cases of several arguments; those that do not have this one among them are slow."""
    return [
        pytest.param(*case, marks=() if argument in case else pytest.mark.slow) for case in cases
    ]
