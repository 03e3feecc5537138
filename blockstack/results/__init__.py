"""Answers: frozen, with provenance."""
