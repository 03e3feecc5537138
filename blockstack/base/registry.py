"""Words that every floor shares, each written once: operations and submission rules.

The order is the number that plans and the core give to a word.
"""

#: what a bio asks for; ``fua`` is a write that must be on the medium before it completes
OPS = ("read", "write", "flush", "discard", "fua")

#: how a nested submission is handled: by calling down, on a first-in-first-out list per task, on
#: one that puts another queue's bios first, on a stack
RULES = ("recursive", "fifo", "two-list", "lifo")
