"""What a kernel's pointers may call, out of its own types and its machine code.

`sites.resolve` reads BTF (Documentation/bpf/btf.rst) and interprets every function once more, with
values in place of the stack pointer.
"""
