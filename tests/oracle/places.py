"""Where the checkout is, and which kernels ship, for tests wherever they lie."""

from pathlib import Path

from blockstack.kernel import PROFILES

ROOT = Path(__file__).parents[2]


def shipped_kernels(*generations: str) -> tuple[str, ...]:
    """Names of the shipped kernels, or of those of some generations: tests type none in."""
    return tuple(
        name
        for name, profile in PROFILES.items()
        if not generations or profile.generation in generations
    )
