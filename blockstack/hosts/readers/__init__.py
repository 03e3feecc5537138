"""One module per family of formats: text in, facts about a host out."""
