"""From definitions and factories to CrewAI's objects."""
