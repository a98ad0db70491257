"""Models: their calls, limits and tokens."""
