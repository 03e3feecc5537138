"""Kernel reports of stacks: read, explained."""
