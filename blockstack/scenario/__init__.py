"""A case as TOML: read, changed, written, and those that ship with the package."""
