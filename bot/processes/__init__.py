"""Worker processes: starting, supervising and isolating them."""
