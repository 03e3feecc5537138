"""Measure a kernel's stack depths in a guest: what `blockstack validate` compares with."""
