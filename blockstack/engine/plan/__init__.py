"""A stack on a kernel, compiled to numbers."""
