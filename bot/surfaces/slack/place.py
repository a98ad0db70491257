"""Slack's name in the store: of places, actors and keys."""

SURFACE = "slack"
