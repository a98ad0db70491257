"""Runs and the crews that they are of, from the inputs to the turn in the queue. Pure."""
