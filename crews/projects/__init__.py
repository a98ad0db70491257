"""CrewAI projects: what crews are in a folder, and how they are offered."""
