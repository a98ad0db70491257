"""Calls of tools: recorded, replayed, behind their gates."""
