"""Every private name and every patch of CrewAI, and nothing else."""
