"""Call paths that kinds of several rooms share."""
