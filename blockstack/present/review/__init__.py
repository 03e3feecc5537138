"""The design review: figures by name, one page."""
