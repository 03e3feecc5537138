"""Make ``bench`` and ``docs._make`` importable, after everything that is installed.

At the end of the path: in front, the checkout's uncompiled ``blockstack/`` would hide a plainly
installed package.
"""

import sys
from pathlib import Path

CHECKOUT = str(Path(__file__).resolve().parents[1])
if CHECKOUT not in sys.path:
    sys.path.append(CHECKOUT)
