"""Block traces of other tools, one small reader each, read in chunks into one record."""
