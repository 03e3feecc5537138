"""Frame tables out of kernel binaries: machine code, or what gcc wrote about it.

`build.extract` reads, `build.write_table` writes, `compare.compare` tells two tables apart.
"""
