"""A crew that changed while a run of it was under way: detected, reported, and confirmed by the requester."""
