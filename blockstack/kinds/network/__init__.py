"""Block devices behind a network card, and the cards."""
