"""How deep: the static bound and the dynamic engine."""
