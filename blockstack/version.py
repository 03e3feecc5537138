"""The one place that says which version this is, beside pyproject.toml."""

__version__ = "0.1.0"
