"""Runs crews in tests, in one process: scripted models and people, and a store in memory."""
