"""Definitions of crews: files and factories, read and validated without crewai."""
