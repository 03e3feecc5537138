"""Pictures for design reviews: one function per picture.

Every function takes ``ax=None`` and returns the Axes; nothing global is touched. Bytes are on the
axis, limits are drawn and named, the provenance is in the corner.
"""

from blockstack.present.plots.amplification import amplification
from blockstack.present.plots.capacity import busy, latency, load
from blockstack.present.plots.compared import compared
from blockstack.present.plots.depth import depth
from blockstack.present.plots.growth import growth
from blockstack.present.plots.headroom import headroom, heat
from blockstack.present.plots.journey import distribution, journey, pending
from blockstack.present.plots.memory import memory
from blockstack.present.plots.stack import stack
from blockstack.present.plots.sweep import curves, field, front, small_multiples
from blockstack.present.plots.tornado import tornado
from blockstack.present.plots.validation import validated
from blockstack.present.plots.words import tasks
from blockstack.present.style import save

__all__ = [
    "amplification",
    "busy",
    "compared",
    "curves",
    "depth",
    "distribution",
    "field",
    "front",
    "growth",
    "headroom",
    "heat",
    "journey",
    "latency",
    "load",
    "memory",
    "pending",
    "save",
    "small_multiples",
    "stack",
    "tasks",
    "tornado",
    "validated",
]
