"""One run, from its claim to its end: what it carries, when it leaves, why it failed."""
