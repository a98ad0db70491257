"""CrewAI's Flows: a replay that skips finished methods, and questions to people."""
