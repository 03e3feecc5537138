"""Loads from elsewhere: fio jobs and traces."""
