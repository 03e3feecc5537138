"""Disks and what drives them."""
