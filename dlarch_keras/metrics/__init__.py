"""Metrics on plain arrays, one file per question they answer. Bad input raises a `ValueError` that names it."""
