"""Questions over many answers: how many layers, what helps most, where it goes."""
