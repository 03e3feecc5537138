"""What writes the generated pages: ``python -m docs._make.pages``, ``… .recipes``."""
