"""One question over many cases: axes, points, measures; run side by side, kept, asked."""
