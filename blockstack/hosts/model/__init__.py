"""A host as its tools describe it: devices and their facts by source, names, files of a tree."""
