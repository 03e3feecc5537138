"""Answers as tables and sentences."""
