"""The ports of the store: one protocol a component, with the values that it takes and returns."""
