"""The processes that `serve` and workers start, and what these are given."""
