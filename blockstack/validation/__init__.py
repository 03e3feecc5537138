"""Bounds beside what running kernels measured."""
