"""The journal: steps that a run has taken are recorded, and not repeated."""
