"""How fast bios move through the engines, beside the same algorithms in C and in numba."""
