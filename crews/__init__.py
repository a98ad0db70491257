"""Crews: what can be run, and the worker that runs it. The only package that imports crewai."""
