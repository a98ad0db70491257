"""CrewAI's Flows: how a run that is one goes on behind the methods that it has finished, and asks people."""
