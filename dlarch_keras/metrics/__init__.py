"""Metrics on plain arrays, one file per question they answer."""
