"""What submits: file systems, raw devices, swap."""
