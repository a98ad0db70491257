"""Crews, tasks and agents at work."""
