"""What a run has done is recorded, and never done again."""
