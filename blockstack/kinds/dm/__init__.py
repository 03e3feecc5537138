"""Device mapper: one registry of targets."""
