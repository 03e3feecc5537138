"""Software RAID: levels and parity."""
