"""Where people and programs act. Surfaces know the core, and not each other."""
