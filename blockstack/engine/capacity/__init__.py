"""The time road: how fast a stack can go, where its bottleneck is, and how long a bio takes."""
