"""The kernels that ship, by name: each is a row of its generation's file."""

from collections.abc import Mapping

from blockstack.generations import GENERATIONS
from blockstack.generations.platform import Profile

PROFILES: Mapping[str, Profile] = {
    name: profile for gen in GENERATIONS.values() for name, profile in gen.shipped.items()
}
